package script

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/tandemcc/tandem/internal/pubsubpb"
)

// topic DIR NAME signs in to the org that DIR/ready.json tells of and asks its Pub/Sub API for a topic, trusting the
// certificate beside the org's data.
func topic(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: topic DIR NAME")
	}
	var r struct {
		Sandbox string
		PubSub  string `json:"pubsub"`
		Org     struct {
			ClientID     string `json:"client_id"`
			ClientSecret string `json:"client_secret"`
			Username     string `json:"username"`
			Password     string `json:"password"`
			Token        string `json:"security_token"`
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(args[0], "ready.json"))), &r))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	form := url.Values{
		"grant_type": {"password"}, "client_id": {r.Org.ClientID}, "client_secret": {r.Org.ClientSecret},
		"username": {r.Org.Username}, "password": {r.Org.Password + r.Org.Token},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.Sandbox+"/services/oauth2/token", strings.NewReader(form.Encode()))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultTransport.RoundTrip(req)
	ts.Check(err)
	defer func() { _ = res.Body.Close() }()
	var session struct {
		Token string `json:"access_token"`
		URL   string `json:"instance_url"`
	}
	ts.Check(json.NewDecoder(res.Body).Decode(&session))
	trust, err := credentials.NewClientTLSFromFile(ts.MkAbs(filepath.Join(args[0], "sandbox", "pubsub.pem")), "")
	ts.Check(err)
	conn, err := grpc.NewClient(r.PubSub, grpc.WithTransportCredentials(trust))
	ts.Check(err)
	defer func() { _ = conn.Close() }()
	org, _, _ := strings.Cut(session.Token, "!")
	ctx = metadata.AppendToOutgoingContext(ctx, "accesstoken", session.Token, "instanceurl", session.URL, "tenantid", org)
	info, err := pubsubpb.NewPubSubClient(conn).GetTopic(ctx, &pubsubpb.TopicRequest{TopicName: args[1]})
	ts.Check(err)
	if !info.GetCanSubscribe() {
		ts.Fatalf("%s cannot be subscribed to: %v", args[1], info)
	}
}

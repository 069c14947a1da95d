package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// client is signed in to an org.
type client struct {
	http  *http.Client
	base  string // "http://127.0.0.1:8090/services/data/v60.0"
	token string
}

const (
	version     = "/services/data/v60.0"
	callLimit   = 10 * time.Minute // of one request: a bulk result takes long
	connections = 64
)

// signIn takes the password flow; login is client id, client secret, user name and password.
func signIn(ctx context.Context, base string, login []string) (*client, error) {
	if len(login) != 4 {
		return nil, errors.New("a login has four parts: client id, client secret, user name and password")
	}
	c := &client{http: &http.Client{Timeout: callLimit, Transport: &http.Transport{MaxIdleConnsPerHost: connections}}, base: base}
	form := url.Values{
		"grant_type": {"password"}, "client_id": {login[0]}, "client_secret": {login[1]}, "username": {login[2]}, "password": {login[3]},
	}
	raw, _, err := c.send(ctx, http.MethodPost, "/services/oauth2/token", form.Encode(), "application/x-www-form-urlencoded")
	if err != nil {
		return nil, fmt.Errorf("signing in: %w", err)
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, err
	}
	c.base, c.token = base+version, answer.Token
	return c, nil
}

func (c *client) send(ctx context.Context, method, path, body, kind string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, nil, err
	}
	if res.StatusCode >= http.StatusBadRequest {
		return nil, nil, fmt.Errorf("%s %s: %d %.300s", method, path, res.StatusCode, raw)
	}
	return raw, res.Header, nil
}

func (c *client) json(ctx context.Context, method, path, body string) ([]byte, error) {
	raw, _, err := c.send(ctx, method, path, body, "application/json")
	return raw, err
}

func (c *client) query(ctx context.Context, soql string) ([]byte, error) {
	return c.json(ctx, http.MethodGet, "/query?q="+url.QueryEscape(soql), "")
}

// figures are what a load came to.
type figures struct {
	done, failed int
	rate         float64 // a second
	p50, p99     time.Duration
	first        error // of those that failed
}

func (f *figures) String() string {
	s := fmt.Sprintf("%.0f a second, p50 %s, p99 %s", f.rate, short(f.p50), short(f.p99))
	if f.failed > 0 {
		s += fmt.Sprintf("; %d of %d failed: %v", f.failed, f.failed+f.done, f.first)
	}
	return s
}

func short(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

// load sends requests for some time; fn gets a number that no other call gets.
func load(ctx context.Context, workers int, length time.Duration, fn func(ctx context.Context, n int) error) *figures {
	var next atomic.Int64
	var mu sync.Mutex // guards out and all
	var all []time.Duration
	out := &figures{}
	var running sync.WaitGroup
	begin := time.Now()
	for range workers {
		running.Go(func() {
			var mine []time.Duration
			for time.Since(begin) < length {
				at := time.Now()
				err := fn(ctx, int(next.Add(1)))
				if err == nil {
					mine = append(mine, time.Since(at))
					continue
				}
				mu.Lock()
				out.failed++
				out.first = err
				mu.Unlock()
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		})
	}
	running.Wait()
	out.done, out.rate = len(all), float64(len(all))/time.Since(begin).Seconds()
	if slices.Sort(all); len(all) > 0 {
		out.p50, out.p99 = all[len(all)/2], all[len(all)*99/100]
	}
	return out
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

func ownRest(ctx context.Context, o *options, out io.Writer) error {
	return withOrg(ctx, o, "small", func(_ *process, c *client) error { return rest(ctx, o, c, out) })
}

// subrequests is how many requests a composite call may hold.
const subrequests = 25

// rest measures single requests: a query for one record, a new record, and a composite call of 25.
func rest(ctx context.Context, o *options, c *client, out io.Writer) error {
	raw, err := c.json(ctx, http.MethodPost, "/sobjects/Contact", `{"LastName":"Wanted","Email":"wanted@bench.example"}`)
	if err != nil {
		return err
	}
	var made struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &made); err != nil {
		return err
	}
	single := "SELECT Id, LastName, Email FROM Contact WHERE Email = 'wanted@bench.example'"
	for _, l := range []struct {
		name string
		fn   func(ctx context.Context, n int) error
	}{
		{"query for one record", func(ctx context.Context, _ int) error {
			raw, err := c.query(ctx, single)
			if err == nil && !strings.Contains(string(raw), made.ID[:15]) {
				return errors.New("the record is not in the answer")
			}
			return err
		}},
		{"create", func(ctx context.Context, n int) error {
			_, err := c.json(ctx, http.MethodPost, "/sobjects/Contact", fmt.Sprintf(`{"LastName":"New %d","Email":"new%d@bench.example"}`, n, n))
			return err
		}},
		{"composite of 25", func(ctx context.Context, n int) error {
			raw, err := c.json(ctx, http.MethodPost, "/composite", composite(n))
			if ok := strings.Count(string(raw), `"httpStatusCode":20`); err == nil && ok != subrequests {
				return fmt.Errorf("%d of %d parts went well: %.300s", ok, subrequests, raw)
			}
			return err
		}},
	} {
		if _, err := fmt.Fprintf(out, "%s, %d at once: %s\n", l.name, o.workers, load(ctx, o.workers, o.length, l.fn)); err != nil {
			return err
		}
	}
	return nil
}

// composite makes an account, twelve contacts of it, and reads each of them.
func composite(n int) string {
	type part struct {
		Method string            `json:"method"`
		URL    string            `json:"url"`
		ID     string            `json:"referenceId"`
		Body   map[string]string `json:"body,omitempty"`
	}
	parts := []part{{http.MethodPost, version + "/sobjects/Account", "a", map[string]string{"Name": fmt.Sprintf("Account %d", n)}}}
	for i := range (subrequests - 1) / 2 {
		id := fmt.Sprintf("c%d", i)
		parts = append(parts, part{http.MethodPost, version + "/sobjects/Contact", id, map[string]string{"LastName": fmt.Sprintf("Contact %d", i), "AccountId": "@{a.id}"}},
			part{http.MethodGet, version + "/sobjects/Contact/@{" + id + ".id}?fields=Id,LastName", "r" + id, nil})
	}
	raw, err := json.Marshal(map[string]any{"allOrNone": true, "compositeRequest": parts})
	if err != nil {
		panic(err) // texts always encode
	}
	return string(raw)
}

package hub

import (
	"bufio"
	"context"
	"iter"
	"net/http"
	"strings"
)

// StreamEvent is one server-sent event.
type StreamEvent struct {
	ID, Type string
	Data     []byte
}

// Stream reads server-sent events below /api/v1 until the loop is left or ctx ends.
func (c *Client) Stream(ctx context.Context, path string) iter.Seq[StreamEvent] {
	c.h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.h.HTTP+"/api/v1"+path, nil)
	if err != nil {
		c.h.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req) //nolint:bodyclose // closed by the loop
	if err != nil || res.StatusCode != http.StatusOK {
		c.h.t.Fatalf("GET %s: %v %v", path, res, err)
	}
	return func(yield func(StreamEvent) bool) {
		defer func() { _ = res.Body.Close() }()
		const longest = 4 << 20
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, longest)
		var ev StreamEvent
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch field {
			case "id":
				ev.ID = value
			case "event":
				ev.Type = value
			case "data":
				ev.Data = append(ev.Data, value...)
			case "":
				if !yield(ev) {
					return
				}
				ev = StreamEvent{}
			}
		}
	}
}

// Command hub measures the whole hub on this machine: calls a second through flow, dips, durable record and audit, and how
// long a caller waits for the first sound. The hub runs as a process of its own (bin/tandem), the caller in this one.
//
//	make build && go run ./bench/hub -rate 50,100,200,300 -seconds 20
//	go run ./bench/hub -rate 50 -seconds 30 -db postgres://postgres@127.0.0.1:5432/bench
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type options struct {
	rates   string
	seconds int
	hold    time.Duration
	db      string
	bin     string
	number  string
}

func main() {
	var o options
	flag.StringVar(&o.rates, "rate", "50,100,200", "calls a second, one step each")
	flag.IntVar(&o.seconds, "seconds", 20, "length of a step")
	flag.DurationVar(&o.hold, "hold", 3*time.Second, "how long a caller stays")
	flag.StringVar(&o.db, "db", "sqlite", "database of the hub")
	flag.StringVar(&o.bin, "bin", "bin/tandem", "the hub")
	flag.StringVar(&o.number, "number", "1000", "called number")
	flag.Parse()
	if err := run(context.Background(), o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out io.Writer) error {
	dir, err := os.MkdirTemp("", "tandem-bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	h, err := startHub(ctx, o, dir)
	if err != nil {
		return err
	}
	defer h.stop()
	callers, err := h.callers(ctx)
	if err != nil {
		return fmt.Errorf("reading callers: %w", err)
	}
	c, err := newCaller(h.ready.SIP)
	if err != nil {
		return err
	}
	defer c.close()
	fmt.Fprintf(out, "%6s %7s %7s %9s %9s %9s %9s %9s %9s %8s\n", "rate/s", "calls", "failed", "200 p50", "200 p99", "RTP p50", "RTP p99", "records", "cores", "RSS MB")
	c.step(ctx, 20, 3*time.Second, o, callers) // warm up: speech and caches
	for text := range strings.SplitSeq(o.rates, ",") {
		rate, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || rate < 1 {
			return fmt.Errorf("the rate %q is no number", text)
		}
		if err := measure(ctx, out, h, c, rate, o, callers); err != nil {
			return err
		}
	}
	return h.verify(ctx, out)
}

func measure(ctx context.Context, out io.Writer, h *hub, c *callMaker, rate int, o options, callers []string) error {
	before, cpu := h.records(ctx), h.cpu()
	begin := time.Now()
	r := c.step(ctx, rate, time.Duration(o.seconds)*time.Second, o, callers)
	took := time.Since(begin)
	used := (h.cpu() - cpu).Seconds() / took.Seconds()
	recorded := h.settle(ctx, before+int64(r.calls-r.failed)) - before
	_, err := fmt.Fprintf(out, "%6d %7d %7d %9s %9s %9s %9s %9d %9.2f %8d\n", rate, r.calls, r.failed, ms(r.setup, 0.5), ms(r.setup, 0.99),
		ms(r.first, 0.5), ms(r.first, 0.99), recorded, used, h.rss())
	return err
}

// ms prints a quantile in milliseconds.
func ms(list []time.Duration, q float64) string {
	if len(list) == 0 {
		return "-"
	}
	slices.Sort(list)
	d := list[min(int(float64(len(list))*q), len(list)-1)]
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64)
}

// hub is the process under measurement.
type hub struct {
	cmd   *exec.Cmd
	ready struct {
		HTTP, SIP, Sandbox string
		APIToken           string `json:"api_token"`
		Org                struct {
			ClientID     string `json:"client_id"`
			ClientSecret string `json:"client_secret"`
		}
	}
}

func startHub(ctx context.Context, o options, dir string) (*hub, error) {
	free := "127.0.0.1:0"
	h := &hub{cmd: exec.CommandContext(ctx, o.bin, //nolint:gosec // whoever measures names the program
		"up", "--data", dir, "--db", o.db, "--http", free, "--sandbox", free, "--sip", free, "--webrtc", free, "--metrics", free, "--log-level", "error")}
	h.cmd.Env = append(os.Environ(), "TANDEM_VOICE_MAX_CALLS=20000", "TANDEM_VOICE_DRAIN=1s")
	h.cmd.Stderr = os.Stderr
	begin := time.Now()
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s (run make build first): %w", o.bin, err)
	}
	for time.Since(begin) < time.Minute {
		raw, err := os.ReadFile(filepath.Join(dir, "ready.json")) //nolint:gosec // our own directory
		if err == nil && json.Unmarshal(raw, &h.ready) == nil {
			fmt.Fprintf(os.Stdout, "hub ready after %d ms with a new database\n", time.Since(begin).Milliseconds())
			return h, nil
		}
		<-time.After(5 * time.Millisecond)
	}
	return nil, errors.New("the hub did not start")
}

func (h *hub) stop() {
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	_ = h.cmd.Wait()
}

func (h *hub) get(ctx context.Context, base, path, token string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+base+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return do(req, into)
}

func do(req *http.Request, into any) error {
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s answered %s", req.URL.Path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// callers are numbers of contacts of the sample org.
func (h *hub) callers(ctx context.Context) ([]string, error) {
	form := "grant_type=client_credentials&client_id=" + h.ready.Org.ClientID + "&client_secret=" + h.ready.Org.ClientSecret
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+h.ready.Sandbox+"/services/oauth2/token", strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := do(req, &token); err != nil {
		return nil, err
	}
	var rows struct{ Records []struct{ Phone string } }
	if err := h.get(ctx, h.ready.Sandbox, "/services/data/v60.0/query?q=SELECT+Phone+FROM+Contact+WHERE+Phone+!=+null+LIMIT+200", token.AccessToken, &rows); err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rows.Records {
		d := strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' {
				return c
			}
			return -1
		}, r.Phone)
		if len(d) == 10 {
			out = append(out, "+1"+d)
		}
	}
	return out, nil
}

// records counts contacts.
func (h *hub) records(ctx context.Context) int64 {
	var s struct{ Counts struct{ Contacts int64 } }
	if err := h.get(ctx, h.ready.HTTP, "/api/v1/system", h.ready.APIToken, &s); err != nil {
		return -1
	}
	return s.Counts.Contacts
}

// settle waits until the wanted number is recorded, ten seconds at most.
func (h *hub) settle(ctx context.Context, want int64) int64 {
	n := h.records(ctx)
	for i := 0; n < want && i < 50; i++ {
		<-time.After(200 * time.Millisecond)
		n = h.records(ctx)
	}
	return n
}

// verify has the hub recompute its audit log.
func (h *hub) verify(ctx context.Context, out io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+h.ready.HTTP+"/api/v1/audit/verify", bytes.NewReader(nil))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+h.ready.APIToken)
	var v struct {
		OK      bool
		Size    int64
		Message string
	}
	if err := do(req, &v); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "audit log: %d entries, ok %v %s\n", v.Size, v.OK, v.Message)
	return err
}

// cpu is the process's time on the processors so far (Linux).
func (h *hub) cpu() time.Duration {
	fields := h.stat("stat")
	i := strings.LastIndexByte(fields, ')')
	f := strings.Fields(fields[i+1:])
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	sys, _ := strconv.Atoi(f[12])
	return time.Duration(user+sys) * 10 * time.Millisecond
}

func (h *hub) rss() int {
	f := strings.Fields(h.stat("statm"))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(f[1])
	return pages * os.Getpagesize() >> 20
}

func (h *hub) stat(name string) string {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(h.cmd.Process.Pid), name)) //nolint:gosec // our own child
	if err != nil {
		return ""
	}
	return cmp.Or(string(raw), "")
}

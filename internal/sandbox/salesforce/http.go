package salesforce

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tandemcc/tandem/internal/sandbox/kit"
)

// Limits of a request, the platform's own where it has one (REST API developer guide, "Status Codes": 414).
const (
	maxURL        = 16_384
	maxBody       = 8 << 20
	maxConcurrent = 200
)

// Handler returns the org's HTTP surface: OAuth, the REST API, pages and the switches. Timeouts belong to the server.
func (o *Org) Handler() http.Handler {
	limits := kit.Limits{URL: maxURL, Body: maxBody, Concurrent: maxConcurrent, BodyOf: bodyOf}
	surface := o.compressed(o.represented(http.HandlerFunc(o.platform)))
	platform := limits.Middleware(o.refuse, o.crossOrigin(surface))
	streams := limits
	streams.Concurrent = 2 * maxClients // most of them wait
	platform = split(streams.Middleware(o.refuse, http.HandlerFunc(o.platform)), platform)
	platform = o.faults.Middleware(kit.Effects{Answer: o.answerFault, Expire: o.ExpireSessionsOf, User: o.struckUser}, platform)
	platform = o.requests.Middleware(o.now, platform)
	human := o.guard(limits.Middleware(o.refuse, o.pages()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.EscapedPath(); kit.CleanPath(path) != path {
			r = withPath(r, kit.CleanPath(path))
		}
		if isPlatform(r.URL.Path) {
			if o.Skew() != 0 { // a wrong clock shows in the header too
				w.Header().Set("Date", o.now().UTC().Format(http.TimeFormat))
			}
			platform.ServeHTTP(w, r)
		} else {
			human.ServeHTTP(w, r)
		}
	})
}

// split sends long polls to stream and all else to rest.
func split(stream, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(strings.ToLower(r.URL.Path), "/cometd/") {
			stream.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// guard keeps pages without a sign-in to this machine, unless the org was opened to others.
func (o *Org) guard(next http.Handler) http.Handler {
	if o.opts.Remote {
		return http.NewCrossOriginProtection().Handler(next)
	}
	return kit.LoopbackOnly(next)
}

// bodyOf lets bulk uploads be longer than other requests.
func bodyOf(r *http.Request) int64 {
	if isUpload(r) {
		return maxUpload + 1
	}
	if strings.HasPrefix(strings.ToLower(r.URL.Path), "/services/async/") {
		return maxClassicBatch
	}
	return maxBody
}

func isPlatform(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch strings.ToLower(first) {
	case "services", "id", "cometd", "telephony", ".well-known":
		return true
	}
	return false
}

func (o *Org) refuse(w http.ResponseWriter, _ *http.Request, status int) {
	if status == http.StatusRequestURITooLong {
		writeFault(w, fault(status, "URI_TOO_LONG", "the URI is longer than %d bytes: send a POST or a shorter query", maxURL))
		return
	}
	w.Header().Set("Retry-After", "1")
	writeFault(w, fault(status, "SERVER_UNAVAILABLE", "more than %d requests at once: try again", maxConcurrent))
}

func writeFault(w http.ResponseWriter, e *apiError) {
	if len(e.allow) > 0 {
		w.Header().Set("Allow", strings.Join(e.allow, ","))
	}
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Token") // as the platform has it (RFC 9110 §15.5.2 wants one)
	}
	writeJSON(w, e.Status, []*apiError{e})
}

func (o *Org) writeFault(w http.ResponseWriter, r *http.Request, err error) {
	writeFault(w, o.fail(r.Context(), err))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := encode(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`[{"message":"the answer cannot be encoded","errorCode":"UNKNOWN_EXCEPTION"}]`)
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON, and typed so
}

func encode(v any) ([]byte, error) {
	if raw, ok := v.(json.RawMessage); ok {
		return raw, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// note tells the request log who is signed in.
func note(w http.ResponseWriter, s *session) { kit.NoteUser(w, s.name) }

// platform routes what a client program asks. Names are matched without regard to case.
func (o *Org) platform(w http.ResponseWriter, r *http.Request) {
	segs := segments(r.URL)
	switch area := strings.ToLower(strings.Join(segs[:min(len(segs), 3)], "/")); {
	case strings.HasPrefix(area, "services/oauth2/"):
		o.oauth(w, r, strings.TrimPrefix(area, "services/oauth2/"))
	case area == ".well-known/openid-configuration":
		o.discovery(w, r)
	case area == "id/keys":
		o.keys(w, r)
	case strings.HasPrefix(area, "services/async/"):
		o.async(w, r, segs[2:])
	case strings.HasPrefix(area, "services/soap"):
		o.soap(w, r, segs[2:])
	case strings.EqualFold(segs[0], "cometd"):
		o.streaming(w, r, segs[1:])
	case strings.HasPrefix(area, "id/") && len(segs) == 3:
		o.identity(w, r, segs[1:])
	case strings.HasPrefix(area+"/", "services/scim/"):
		o.scim(w, r, segs[2:])
	case strings.HasPrefix(area, "services/apexrest"):
		o.apexREST(w, r, segs[2:])
	case strings.HasPrefix(area, "services/async/"):
		o.async(w, r, segs[2:])
	case area == "services/data":
		versions(w, r)
	case strings.HasPrefix(area, "services/data/"):
		o.rest(w, r, segs[2:])
	default:
		writeFault(w, notFound())
	}
}

// segments are the parts of a path. What is escaped within one, such as a slash in an external id, stays in it.
func segments(u *url.URL) []string {
	segs := strings.Split(strings.Trim(u.EscapedPath(), "/"), "/")
	for i, s := range segs {
		if plain, err := url.PathUnescape(s); err == nil {
			segs[i] = plain
		}
	}
	return segs
}

// streaming answers below /cometd for who may use the API.
func (o *Org) streaming(w http.ResponseWriter, r *http.Request, segs []string) {
	if s := o.sessions.find(bearer(r), false); s != nil && !o.usesAPI(r.Context(), s.user) {
		writeFault(w, apiDisabled())
		return
	}
	o.cometd(w, r, segs)
}

// oauth answers below /services/oauth2/.
func (o *Org) oauth(w http.ResponseWriter, r *http.Request, part string) {
	switch part {
	case "token":
		o.token(w, r)
	case "revoke":
		o.revoke(w, r)
	case "userinfo":
		o.userinfo(w, r)
	case "authorize":
		o.guard(http.HandlerFunc(o.authorize)).ServeHTTP(w, r)
	case "singleaccess":
		o.singleAccess(w, r)
	case "introspect":
		o.introspect(w, r)
	default:
		writeFault(w, notFound())
	}
}

// request is one REST call, on its own or inside a composite one.
type request struct {
	ctx       context.Context //nolint:containedctx // as http.Request: one call, one context
	method    string
	version   int      // 60 for v60.0
	segs      []string // of the path below the version, or below area
	area      string   // "/tooling" there, and empty elsewhere
	query     url.Values
	header    http.Header
	body      []byte
	stream    io.Reader // an upload that is not read yet, instead of the body; nil: none
	user      *session
	tx        *sql.Tx // of the composite call this one is part of, nil: none
	allOrNone bool    // a failure within is to undo the composite call this one is part of
}

// response is the answer to a request. A nil body is none; json.RawMessage is sent as it is.
type response struct {
	status int
	header http.Header
	body   any
	send   func(w io.Writer) error // writes the body, where it is long; nil: none
	failed bool                    // some records of a collection were not taken
}

func ok(body any) *response { return &response{status: http.StatusOK, body: body} }

func noContent() *response { return &response{status: http.StatusNoContent} }

func (rq *request) base() string {
	return "/services/data/v" + strconv.Itoa(rq.version) + ".0" + rq.area
}

// admit returns the session of a request and counts the request; nil when it was refused, which has been answered then.
func (o *Org) admit(w http.ResponseWriter, r *http.Request) *session {
	s := o.sessionOf(r.Context(), bearer(r), r.RemoteAddr)
	if s == nil {
		writeFault(w, invalidSession())
		return nil
	}
	note(w, s)
	if !o.usesAPI(r.Context(), s.user) {
		writeFault(w, apiDisabled())
		return nil
	}
	if !o.spend(w) {
		return nil
	}
	return s
}

// rest answers below /services/data/: segs[0] is the version.
func (o *Org) rest(w http.ResponseWriter, r *http.Request, segs []string) {
	version, err := parseVersion(segs[0])
	if err != nil {
		o.writeFault(w, r, err)
		return
	}
	s := o.admit(w, r)
	if s == nil {
		return
	}
	if err := errors.Join(checkHead(r), checkMedia(r, segs[1:])); err != nil {
		o.writeFault(w, r, err)
		return
	}
	rq := &request{
		ctx:    withOrigin(context.WithValue(r.Context(), baseKey{}, o.base(r)), "rest", version, callOption(r.Header, "client")),
		method: r.Method, version: version, segs: segs[1:], query: r.URL.Query(), header: r.Header, user: s,
	}
	if err := rq.read(r); err != nil {
		o.writeFault(w, r, err)
		return
	}
	if err := readXML(rq); err != nil {
		o.writeFault(w, r, err)
		return
	}
	if override := rq.query.Get("_HttpMethod"); override != "" && r.Method == http.MethodPost {
		rq.method = strings.ToUpper(override)
	}
	res, err := o.route(rq)
	if err != nil {
		if many, ok := errors.AsType[*manyMatches](err); ok {
			writeJSON(w, http.StatusMultipleChoices, many.urls)
			return
		}
		o.writeFault(w, r, err)
		return
	}
	maps.Copy(w.Header(), res.header)
	if res.send != nil {
		if err := sendTo(w, r, res); err != nil && r.Context().Err() == nil {
			_ = o.fail(r.Context(), err) // logs it
			panic(http.ErrAbortHandler)  // the answer is not whole: the client must not take it for that
		}
		return
	}
	if res.body == nil {
		w.WriteHeader(res.status)
		return
	}
	writeJSON(w, res.status, res.body)
}

// read takes the body of a request, or leaves an upload to be read later.
func (rq *request) read(r *http.Request) (err error) {
	if isUpload(r) {
		rq.stream = r.Body
		return nil
	}
	if rq.body, err = io.ReadAll(r.Body); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	return nil
}

// spend counts a request and says so in the header; false: the day's are used up, which was answered.
func (o *Org) spend(w http.ResponseWriter) bool {
	if err := o.budget(w); err != nil {
		writeFault(w, err)
		return false
	}
	return true
}

// budget counts a request and says so in the header; an error: the day's are used up.
func (o *Org) budget(w http.ResponseWriter) *apiError {
	used := o.countRequest()
	w.Header().Set("Sforce-Limit-Info", "api-usage="+strconv.FormatInt(used, 10)+"/"+strconv.Itoa(o.opts.DailyRequests))
	if used <= int64(o.opts.DailyRequests) {
		return nil
	}
	return fault(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
}

// isUpload reports whether a request brings the data of a bulk job, which is larger than others may be.
func isUpload(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(strings.ToLower(r.URL.Path), "/jobs/ingest/")
}

// countRequest counts an API request of the day (UTC) and returns their number.
func (o *Org) countRequest() int64 {
	today := o.now().Unix() / int64((24*time.Hour)/time.Second)
	if o.day.Swap(today) != today {
		o.used.Store(0)
	}
	return o.used.Add(1)
}

// Versions of the API: earlier ones are retired from the first on (REST API developer guide, "API End-of-Life"), later ones
// not there yet.
const (
	minVersion = 31
	maxVersion = 68
	firstKnown = 7
)

func parseVersion(seg string) (int, error) {
	name := strings.ToLower(seg)
	whole, found := strings.CutSuffix(strings.TrimPrefix(name, "v"), ".0")
	n, err := strconv.Atoi(whole)
	switch {
	case !found || err != nil || name != "v"+itoa(n)+".0" || n < firstKnown || n > maxVersion:
		return 0, notFound()
	case n < minVersion:
		return 0, fault(http.StatusGone, "GONE", "The requested resource is no longer available: API version %d.0 was retired, use %d.0 to %d.0", n, minVersion, maxVersion)
	}
	return n, nil
}

// versions answers /services/data, which needs no sign-in.
func versions(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		writeFault(w, methodNotAllowed(r.Method, readOnlyMethods...))
		return
	}
	writeJSON(w, http.StatusOK, versionList())
}

// versionList names each version by its season: three releases a year, 68.0 being Winter '27.
func versionList() []map[string]string {
	seasons := []string{"Winter", "Spring", "Summer"}
	out := make([]map[string]string, 0, maxVersion-minVersion+1)
	for v := minVersion; v <= maxVersion; v++ {
		// Winter '14 was 29.0; a winter release carries the year after it.
		label := fmt.Sprintf("%s '%02d", seasons[(v-29)%3], 14+(v-29)/3)
		out = append(out, map[string]string{"label": label, "url": fmt.Sprintf("/services/data/v%d.0", v), "version": fmt.Sprintf("%d.0", v)})
	}
	return out
}

// route hands a call to its resource, which may be one inside a composite call.
func (o *Org) route(rq *request) (*response, error) {
	res, err := o.dispatch(heedingDuplicates(rq))
	if err != nil {
		return nil, withMethods(rq, err)
	}
	return res, nil
}

// dispatch picks the resource of a call by its path.
func (o *Org) dispatch(rq *request) (*response, error) {
	if len(rq.segs) == 0 {
		return rq.get(func() (*response, error) { return ok(o.resources(rq)), nil })
	}
	if list := directory(rq); list != nil {
		return list, nil
	}
	if read := o.interfaceParts(rq); read != nil {
		return rq.get(read)
	}
	switch strings.ToLower(rq.segs[0]) {
	case "query", "queryall":
		return rq.get(func() (*response, error) { return o.query(rq, strings.EqualFold(rq.segs[0], "queryAll")) })
	case "search":
		return rq.get(func() (*response, error) { return o.searchResource(rq) })
	case "parameterizedsearch":
		return o.parameterizedSearch(rq)
	case "limits":
		if len(rq.segs) > 1 {
			return nil, notFound()
		}
		return rq.get(func() (*response, error) { return ok(o.limits()), nil })
	case "sobjects":
		return o.sobjects(rq)
	case "composite":
		return o.composite(rq)
	case "jobs":
		return o.jobs(rq)
	case "tooling":
		return o.tooling(rq)
	case "connect":
		return o.connect(rq)
	}
	return nil, notFound()
}

// tooling answers queries and descriptions of the Tooling API over the same entities; it has no metadata to change.
func (o *Org) tooling(rq *request) (*response, error) {
	inner := *rq
	inner.segs, inner.area = rq.segs[1:], "/tooling"
	if len(inner.segs) > 1 && strings.EqualFold(inner.segs[0], "sobjects") {
		switch entity := inner.segs[1]; {
		case strings.EqualFold(entity, managedEntity):
			return o.managedSubscriptions(rq, inner.segs[2:])
		case strings.EqualFold(entity, channelEntity), strings.EqualFold(entity, memberEntity):
			return o.eventChannels(rq, entity, inner.segs[2:])
		}
	}
	if len(inner.segs) > 0 {
		switch strings.ToLower(inner.segs[0]) {
		case "query", "queryall", "search", "sobjects":
			if rq.method == http.MethodGet || rq.method == http.MethodHead {
				return o.route(&inner)
			}
			if toolingWrites(&inner) {
				return o.toolingStatus(&inner)
			}
			return nil, methodNotAllowed(rq.method)
		}
	}
	return nil, notFound()
}

func (rq *request) get(fn func() (*response, error)) (*response, error) {
	if rq.method != http.MethodGet && rq.method != http.MethodHead {
		return nil, methodNotAllowed(rq.method)
	}
	return fn()
}

func (o *Org) limits() map[string]any {
	left := func(limit int, used int64) map[string]int64 {
		return map[string]int64{"Max": int64(limit), "Remaining": max(0, int64(limit)-used)}
	}
	out := map[string]any{"DailyApiRequests": left(o.opts.DailyRequests, o.used.Load())}
	// What this org has without counting it: nobody runs out of it here.
	for name, limit := range map[string]int{
		"ActiveScratchOrgs": 3, "AnalyticsExternalDataSizeMB": 40_960, "ConcurrentAsyncGetReportInstances": 200, "ConcurrentSyncReportRuns": 20,
		"DailyAsyncApexExecutions": 250_000, "DailyAsyncApexTests": 500, "DailyBulkApiBatches": 15_000, "DailyBulkV2QueryFileStorageMB": 976_562,
		"DailyBulkV2QueryJobs": 10_000, "DailyDeliveredPlatformEvents": 50_000, "DailyDurableGenericStreamingApiEvents": 10_000,
		"DailyDurableStreamingApiEvents": 10_000, "DailyGenericStreamingApiEvents": 10_000, "DailyScratchOrgs": 6,
		"DailyStandardVolumePlatformEvents": 25_000, "DailyStreamingApiEvents": 10_000, "DailyWorkflowEmails": 390, "DataStorageMB": 1024,
		"DurableStreamingApiConcurrentClients": maxClients, "FileStorageMB": 1024, "HourlyAsyncReportRuns": 1200, "HourlyDashboardRefreshes": 200,
		"HourlyDashboardResults": 5000, "HourlyDashboardStatuses": 999_999_999, "HourlyLongTermIdMapping": 100_000,
		"HourlyManagedContentPublicRequests": 50_000, "HourlyODataCallout": 1000, "HourlyPublishedPlatformEvents": 250_000,
		"HourlyPublishedStandardVolumePlatformEvents": 1000, "HourlyShortTermIdMapping": 100_000, "HourlySyncReportRuns": 500,
		"HourlyTimeBasedWorkflow": 1000, "MassEmail": 10, "MonthlyPlatformEventsUsageEntitlement": 0, "Package2VersionCreates": 6,
		"Package2VersionCreatesWithoutValidation": 500, "PermissionSets": 1500, "PrivateConnectOutboundCalloutHourlyLimitMB": 0,
		"PublishCallbackUsageInApex": 10_485_760, "SingleEmail": 15, "StreamingApiConcurrentClients": maxClients,
	} {
		out[name] = left(limit, 0)
	}
	return out
}

// db is what a call reads from: its transaction, so that it sees what it wrote, or the pool.
func (o *Org) db(rq *request) querier {
	if rq.tx != nil {
		return inTx{o.store, rq.tx}
	}
	return o.store
}

// update runs fn in the call's transaction, or in one of its own.
func (o *Org) update(rq *request, fn func(tx *sql.Tx) error) error {
	if rq.tx != nil {
		return fn(rq.tx)
	}
	return o.store.update(rq.ctx, fn)
}

func (o *Org) environment(rq *request) environment {
	r := o.regionOf(rq)
	return environment{now: o.now(), zone: r.zone, locale: r.locale, user: rq.user.user, api: rq.version, view: o.viewOf(rq.ctx, rq.user.user)}
}

// regionOf is where the user is: in the zone GMT and the locale en_US unless the user record names others.
func (o *Org) regionOf(rq *request) region {
	if r, found := o.regions.get(rq.user.user); found {
		return r
	}
	zone := time.UTC
	u, err := readRecord(rq.ctx, o.db(rq), o.schema.object("User"), rq.user.user)
	if err == nil && u.text("TimeZoneSidKey") != "GMT" {
		if z, err := time.LoadLocation(u.text("TimeZoneSidKey")); err == nil {
			zone = z
		}
	}
	return o.regions.put(rq.user.user, region{zone, strings.ReplaceAll(u.text("LocaleSidKey"), " ", "_")})
}

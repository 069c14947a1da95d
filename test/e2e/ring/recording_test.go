package ring

import (
	"bytes"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// recorded downloads a contact's recording.
func recorded(t *testing.T, who *hub.Client, id string) audio.Clip {
	t.Helper()
	status, raw, err := who.Do("GET", "/contacts/"+id+"/recording", nil, nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("the recording: %d %v", status, err)
	}
	clip, err := audio.ReadWAV(strings.NewReader(raw), audio.Limits{})
	if err != nil || clip.Channels != 2 || clip.Rate != audio.Rate {
		t.Fatalf("the recording is %d channels at %d: %v", clip.Channels, clip.Rate, err)
	}
	return clip
}

// heard measures, for each fifth of a second of one side, the tone that is in it; 0 is silence.
func heard(c audio.Clip, side int) (out []int) {
	const window = audio.Rate / 5
	for at := 0; at+window <= len(c.Samples)/2; at += window {
		pcm := make([]int16, window)
		for i := range pcm {
			pcm[i] = c.Samples[2*(at+i)+side]
		}
		hz, level := audio.DominantFrequency(pcm, audio.Rate)
		if level < 0.01 {
			hz = 0
		}
		out = append(out, int(math.Round(hz/10)*10))
	}
	return out
}

// share returns how much of a side's windows are a tone.
func share(list []int, hz int) float64 {
	n := 0
	for _, v := range list {
		if v == hz {
			n++
		}
	}
	return float64(n) / float64(max(len(list), 1))
}

// waitRecorded waits until some seconds of a contact were stored.
func waitRecorded(h *hub.Hub, id string, seconds int) {
	h.Eventually("the recording grows", func() bool {
		var r struct {
			Recordings []struct{ DurationSeconds int }
		}
		h.API().Must("GET", "/contacts/"+id, nil, &r)
		return len(r.Recordings) > 0 && r.Recordings[0].DurationSeconds >= seconds
	})
}

// TestRecording: a queue that records gives a stereo file, the customer left and the agent right, silent while on hold. Who may hear
// it is a matter of policy, and who did is in the audit log.
func TestRecording(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	setQueue(h, map[string]any{"record": true})
	ada := sit(t, h, "ada", agentTone)
	call := dial(h, caller, "1000", callerTone)
	id := ada.accepts()
	hearsBoth(h, ada, call)
	waitRecorded(h, id, 2)
	ada.do(id, "hold")
	<-hub.After(2 * time.Second)
	ada.do(id, "resume")
	hearsBoth(h, ada, call)
	<-hub.After(time.Second)
	call.Hangup()
	ada.is("wrapup")
	ada.finishes(id, "resolved", "")
	r := closed(t, h, id)
	if !r.Had("recording") {
		t.Errorf("the timeline: %+v", r.Timeline)
	}
	sam := h.SignIn("sam")
	clip := recorded(t, sam, id)
	left, right := heard(clip, 0), heard(clip, 1)
	t.Logf("left %v right %v", left, right)
	for name, side := range map[string]struct {
		list []int
		hz   int
	}{"left": {left, callerTone}, "right": {right, agentTone}} {
		own, none := share(side.list, side.hz), share(side.list, 0)
		if own < 0.4 || none < 0.15 || own+none < 0.75 {
			t.Errorf("%s holds %d Hz in %.2f and silence in %.2f of its time", name, side.hz, own, none)
		}
	}
	access(t, h, sam, ada.Client, id)
}

func access(t *testing.T, h *hub.Hub, sam, ada *hub.Client, id string) {
	t.Helper()
	if status, raw, err := ada.Do("GET", "/contacts/"+id+"/recording", nil, nil); err != nil || status != http.StatusForbidden {
		t.Errorf("an agent asks for the recording: %d %.100s %v", status, raw, err)
	}
	if status, _, err := sam.Do("GET", "/contacts/none/recording", nil, nil); err != nil || status != http.StatusNotFound {
		t.Errorf("a recording of nothing: %d %v", status, err)
	}
	var log struct {
		Items []struct{ Action, Resource, Principal, Outcome string }
	}
	h.Eventually("the access is in the audit log", func() bool {
		h.API().Must("GET", "/audit?limit=200", nil, &log)
		for _, e := range log.Items {
			if e.Action == "contact:GetRecording" && strings.HasSuffix(e.Resource, "contact/"+id) && e.Outcome == "ok" && strings.HasSuffix(e.Principal, "user/sam") {
				return true
			}
		}
		return false
	})
}

const recordFlow = `
tandem: flow/1
name: Record
nodes:
  Call: {op: start, exits: Record}
  Record: {op: record, in: {participants: [Agent]}, exits: Wait}
  Wait: {op: queue, in: {queueName: Support}, exits: Music}
  Music: {op: music, in: {file: hold, durationMS: 600000}, exits: Music}
`

// TestRecordingByFlow: the flow says who is recorded, whatever the queue does.
func TestRecordingByFlow(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	route(h, "3000", recordFlow)
	ada := sit(t, h, "ada", agentTone)
	call := reach(h, caller, "3000", callerTone)
	id := ada.accepts()
	hearsBoth(h, ada, call)
	waitRecorded(h, id, 2)
	call.Hangup()
	ada.is("wrapup")
	ada.finishes(id, "resolved", "")
	closed(t, h, id)
	clip := recorded(t, h.API(), id)
	left, right := heard(clip, 0), heard(clip, 1)
	if share(left, 0) < 0.99 || share(right, agentTone) < 0.6 {
		t.Errorf("left %v right %v", left, right)
	}
}

// TestRecordingKilled: a hub that is killed loses the last piece at most; what was stored can be heard.
func TestRecordingKilled(t *testing.T) {
	t.Parallel()
	binary, dir := builtHub(t), t.TempDir()
	h := hub.Exec(t, binary, dir, "sqlite")
	setQueue(h, map[string]any{"record": true})
	ada := sit(t, h, "ada", agentTone)
	call := dial(h, caller, "1000", callerTone)
	id := ada.accepts()
	hearsBoth(h, ada, call)
	begun := time.Now()
	waitRecorded(h, id, 4)
	lived := time.Since(begun)
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	h = hub.Exec(t, binary, dir, "sqlite")
	h.Eventually("the call has ended", func() bool { return h.Record(id).EndedAt != nil })
	var r struct {
		Recordings []struct {
			EndedAt         *time.Time
			DurationSeconds int
		}
	}
	h.API().Must("GET", "/contacts/"+id, nil, &r)
	if len(r.Recordings) != 1 || r.Recordings[0].EndedAt == nil {
		t.Errorf("recordings: %+v", r.Recordings)
	}
	clip := recorded(t, h.API(), id)
	kept := audio.ULawDuration(len(clip.Samples) / 2)
	if kept < lived-4*time.Second { // a piece of two seconds, and what the machine was late
		t.Errorf("%v of %v are left", kept, lived)
	}
	left, right := heard(clip, 0), heard(clip, 1)
	if share(left, callerTone) < 0.6 || share(right, agentTone) < 0.6 {
		t.Errorf("left %v right %v", left, right)
	}
}

// TestRecordingRange: a player gets the part it asks for.
func TestRecordingRange(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	setQueue(h, map[string]any{"record": true})
	ada := sit(t, h, "ada", agentTone)
	call := dial(h, caller, "1000", callerTone)
	id := ada.accepts()
	waitRecorded(h, id, 2)
	call.Hangup()
	ada.is("wrapup")
	ada.finishes(id, "resolved", "")
	closed(t, h, id)
	_, whole, err := h.API().Do("GET", "/contacts/"+id+"/recording", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+h.HTTP+"/api/v1/contacts/"+id+"/recording", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.APIToken)
	req.Header.Set("Range", "bytes=40-70001")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var part bytes.Buffer
	if _, err := part.ReadFrom(res.Body); err != nil || res.StatusCode != http.StatusPartialContent || res.Header.Get("Content-Type") != "audio/wav" {
		t.Fatalf("the part: %d %v %v", res.StatusCode, res.Header, err)
	}
	if part.String() != whole[40:70002] {
		t.Error("the part is not that of the whole")
	}
}

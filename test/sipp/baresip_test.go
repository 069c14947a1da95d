package sipp

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/audio"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

const baresipModules = "/usr/lib/baresip/modules"

// TestBaresipAsAgent bridges a caller to baresip, which answers by itself and speaks a tone of 500 Hz.
func TestBaresipAsAgent(t *testing.T) {
	path, err := exec.LookPath("baresip")
	if err == nil {
		_, err = os.Stat(baresipModules)
	}
	if err != nil {
		t.Skip("baresip is not here: apt-get install baresip-core to run this test")
	}
	port := freePort(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config": fmt.Sprintf("sip_listen 127.0.0.1:%d\naudio_player aufile,%s\naudio_source aufile,%s\naudio_alert aufile,%s\nmodule_path %s\n"+
			"module g711.so\nmodule aufile.so\nmodule_tmp account.so\nmodule_app menu.so\n",
			port, filepath.Join(dir, "heard.wav"), filepath.Join(dir, "tone.wav"), filepath.Join(dir, "alert.wav"), baresipModules),
		"accounts": fmt.Sprintf("<sip:agent@127.0.0.1:%d>;regint=0;answermode=auto;audio_codecs=PCMU\n", port),
		"contacts": "",
		"tone.wav": toneFile(500, 30),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	agent := exec.CommandContext(ctx, path, "-f", dir, "-t", "40")
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = agent.Wait() }()

	legs := make(chan voice.Leg, 1)
	h := startHub(t, func(l voice.Leg) { answer(t)(l); legs <- l })
	call, heard := callHub(t, h, 440)
	in := <-legs
	out := dialUntilAnswered(t, h, fmt.Sprintf("sip:agent@127.0.0.1:%d", port))
	if _, err := h.Bridge(in.Media(), out.Media()); err != nil {
		t.Fatal(err)
	}
	timeout := time.After(20 * time.Second)
	for n := 0; n < 10; {
		select {
		case hz := <-heard:
			if math.Abs(hz-500) < 15 {
				n++
			}
		case <-timeout:
			t.Fatalf("the agent's tone was not heard; agent's audio: %+v", out.Media().Stats())
		}
	}
	call.Hangup()
	<-call.Done()
	out.Hangup("done")
	for e := range out.Events() {
		if e.Type == voice.LegEnded && e.End != voice.EndLocal {
			t.Errorf("ended %+v", e)
		}
	}
}

// toneFile is a WAV file of 16 bits at 8 kHz.
func toneFile(hz float64, seconds int) string {
	samples := audio.DecodeULaw(nil, media.Tone(hz, 0.5, seconds*media.SampleRate))
	le := binary.LittleEndian
	data := le.AppendUint32([]byte("RIFF"), uint32(36+2*len(samples)))
	data = append(data, "WAVEfmt "...)
	for _, field := range []uint32{16, 1 | 1<<16, media.SampleRate, 2 * media.SampleRate, 2 | 16<<16} {
		data = le.AppendUint32(data, field)
	}
	data = le.AppendUint32(append(data, "data"...), uint32(2*len(samples)))
	for _, s := range samples {
		data = le.AppendUint16(data, uint16(s))
	}
	return string(data)
}

// dialUntilAnswered gives a program the time to start.
func dialUntilAnswered(t *testing.T, h *hub, uri string) voice.Leg {
	t.Helper()
	for range 5 {
		out, err := h.Dial(t.Context(), voice.DialRequest{URI: uri, RingTimeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		for e := range out.Events() {
			if e.Type == voice.LegAnswered {
				return out
			}
		}
	}
	t.Fatal("the agent did not answer")
	return nil
}

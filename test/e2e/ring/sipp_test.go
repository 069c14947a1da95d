package ring

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/softphone"
	"github.com/tandemcc/tandem/internal/testkit/hub"
)

// need skips a test whose outside program is missing, and fails it where CI is set.
func need(t *testing.T, what string, missing bool) {
	t.Helper()
	if !missing {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: apt-get install sip-tester", what)
	}
	t.Skipf("%s is not here: apt-get install sip-tester to run this test", what)
}

// A call: [steps] stands for what is done in it.
const scenario = `<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="call">
<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+1500555[call_number]@[local_ip]:[local_port]>;tag=[pid]tag[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=caller 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+1500555[call_number]@[local_ip]:[local_port]>;tag=[pid]tag[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
[steps]
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+1500555[call_number]@[local_ip]:[local_port]>;tag=[pid]tag[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
`

func pause(ms int) string { return `<pause milliseconds="` + strconv.Itoa(ms) + `"/>` }

func playPCAP(file string) string {
	return `<nop><action><exec play_pcap_audio="` + file + `"/></action></nop>`
}

// presses are steps that press keys by the recordings that come with SIPp.
func presses(t *testing.T, list ...string) (steps string) {
	t.Helper()
	for _, key := range list {
		file := "/usr/share/sip-tester/dtmf_2833_" + key + ".pcap"
		_, err := os.Stat(file)
		need(t, file, err != nil)
		steps += pause(1000) + playPCAP(file)
	}
	return steps + pause(8000) // while the hub speaks
}

// tonePCAP writes seconds of a tone as PCMU in RTP, 20 ms a packet, into a capture file.
func tonePCAP(t *testing.T, seconds int) string {
	t.Helper()
	const size, headers = 160, 14 + 20 + 8 + 12 // Ethernet, IPv4, UDP, RTP
	tone := softphone.Tone(callerTone)
	le, be := binary.LittleEndian, binary.BigEndian
	out := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0}
	for n := range uint32(seconds * 50) {
		out = le.AppendUint32(le.AppendUint32(out, n/50), n%50*20_000)
		out = le.AppendUint32(le.AppendUint32(out, headers+size), headers+size)
		out = append(out, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0)
		ip := []byte{0x45, 0, 0, headers - 14 + size, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1}
		udp := []byte{0x20, 0, 0x20, 2, 0, 8 + 12 + size, 0, 0}
		rtp := be.AppendUint16([]byte{0x80, 0}, uint16(n))
		rtp = be.AppendUint32(be.AppendUint32(rtp, n*size), 0x7a11)
		at := int(n) % 50 * size
		out = append(append(append(append(out, ip...), udp...), rtp...), tone[at:at+size]...)
	}
	file := filepath.Join(t.TempDir(), "tone.pcap")
	if err := os.WriteFile(file, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// sipp calls a number and does the steps in each call; it fails the test if a call failed.
func sipp(t *testing.T, h *hub.Hub, number, steps string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("sipp")
	need(t, "sipp", err != nil)
	dir := t.TempDir()
	file := filepath.Join(dir, "scenario.xml")
	if err := os.WriteFile(file, []byte(strings.Replace(scenario, "[steps]", steps, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close() // only its number was wanted
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	args = append([]string{
		"-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", port, "-nostdin", "-timeout", "80s", "-sf", file, "-s", number,
		"-trace_err", "-error_file", filepath.Join(dir, "errors"),
	}, append(args, h.SIP)...)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/usr/share/sip-tester" // scenarios name its pcap files
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(filepath.Join(dir, "errors"))
		const most = 3000
		all := append(out.Bytes(), text...)
		t.Fatalf("sipp: %v\n%s", err, all[max(0, len(all)-most):])
	}
}

// TestSIPpCall: a foreign telephone calls, sends sound, presses nothing, and hangs up in the queue.
func TestSIPpCall(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	sipp(t, h, "1000", playPCAP(tonePCAP(t, 8))+pause(9000), "-m", "1")
	rs := h.Records()
	if len(rs) != 1 {
		t.Fatalf("%d records of one call", len(rs))
	}
	r := closed(t, h, rs[0].ID)
	if r.EndReason != "abandoned" || r.Queue == nil || len(r.Legs) != 1 || r.Legs[0].PacketsReceived == 0 {
		t.Errorf("the record: %+v", r)
	}
}

// TestSIPpMenu: the keys of SIPp's own recording lead through the menu.
func TestSIPpMenu(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	sipp(t, h, "1001", presses(t, "1", "2", "0", "1", "2", "pound"), "-m", "1")
	rs := h.Records()
	if len(rs) != 1 {
		t.Fatalf("%d records of one call", len(rs))
	}
	r := closed(t, h, rs[0].ID)
	vars := map[string]string{}
	for _, v := range r.Variables {
		vars[v.Name] = v.Value
	}
	if r.Queue == nil || r.Queue.Name != "Support" || vars["orderNumber"] != "2012" || vars["topic"] != "Order" {
		t.Errorf("queue %+v, variables %v", r.Queue, vars)
	}
}

// TestSIPpMany: 50 calls, ten a second; each has its record.
func TestSIPpMany(t *testing.T) {
	t.Parallel()
	h := hub.Start(t, hub.Options{})
	const calls = 50
	sipp(t, h, "1001", pause(2000), "-m", strconv.Itoa(calls), "-r", "10")
	h.Eventually("every record is closed", func() bool {
		n := 0
		for _, r := range h.Records() {
			if r.State == "ended" {
				n++
			}
		}
		return n == calls
	})
	for _, r := range h.Records() {
		if r.EndReason != "customer" || r.EndedAt == nil {
			t.Errorf("call %s: %+v", r.ID, r)
		}
	}
}

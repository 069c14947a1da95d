package flow_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tandemcc/tandem/internal/flow"
)

// otpFlow makes a password, reads it out, asks for it and judges it.
func otpFlow(reuse bool) *flow.Flow {
	return build([]flow.Var{{Name: "said", Type: flow.TypeString}},
		node("Make", flow.OpOTP, map[string]flow.Value{
			"reference": pebble("{{ NewPhoneContact.ANI }}"), "format": flow.Lit("NUMERIC"), "length": flow.Lit("4"), "validSeconds": flow.Lit("60"), "reuse": flow.Lit(reuse),
		}, "ok", "Keep"),
		node("Keep", flow.OpSet, sets("said", "{{ Make.pin }}"), "ok", "Ask"),
		node("Ask", flow.OpCollect, map[string]flow.Value{"prompts": tts("your code")["prompts"], "min": flow.Lit("1"), "max": flow.Lit("9")}, "ok", "Judge"),
		node("Judge", flow.OpVerifyOTP, map[string]flow.Value{
			"reference": pebble("{{ NewPhoneContact.ANI }}"), "otp": pebble("{{ Ask.DigitsEntered }}"), "resend": flow.Lit("0"),
		}, "ok", "Good", "failure", "Ask", "resend", "Make"),
		node("Good", flow.OpSay, tts("well done"), "ok", "End"), node("End", flow.OpEnd, nil))
}

func said(c *call) string {
	v, _ := c.s.Vars["said"].(string)
	return v
}

func TestOneTimePassword(t *testing.T) {
	c := start(t, otpFlow(false), nil)
	first := said(c)
	if len(first) != 4 || strings.Trim(first, "0123456789") != "" {
		t.Fatalf("the password is %q", first)
	}
	c.entered("99999")
	if c.s.Threads[0].Node != "Ask" {
		t.Fatalf("a wrong one leads to %s", c.s.Threads[0].Node)
	}
	c.entered("0")
	second := said(c)
	if second == first {
		t.Error("another one is the same")
	}
	c.entered(second)
	if c.s.Threads[0].Node != "Good" {
		t.Errorf("the right one leads to %s", c.s.Threads[0].Node)
	}
	trace, err := json.Marshal(c.trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{first, second} {
		if strings.Contains(string(trace), secret) {
			t.Errorf("the password %s is in the trace", secret)
		}
	}
}

// A password is valid for a time and for a number of tries, once, and after a restore as before.
func TestOneTimePasswordEnds(t *testing.T) {
	c := start(t, otpFlow(false), nil)
	old := said(c)
	c.at = c.at.Add(2 * time.Minute)
	c.entered(old)
	if n := said(c); n == old || c.s.Threads[0].Node != "Ask" {
		t.Errorf("one that is no longer valid leads to %s with %s", c.s.Threads[0].Node, n)
	}
	pin := said(c)
	for range 10 {
		c.entered("99999")
	}
	c.entered(pin)
	if c.s.Threads[0].Node == "Good" {
		t.Error("it is valid after ten wrong ones")
	}

	c = start(t, otpFlow(true), nil)
	pin = said(c)
	c.entered("0")
	if said(c) != pin {
		t.Error("the one that is valid is not given again")
	}
	data, err := json.Marshal(c.s)
	if err != nil {
		t.Fatal(err)
	}
	if c.s, err = flow.Restore(data); err != nil {
		t.Fatal(err)
	}
	c.entered(pin)
	if c.s.Threads[0].Node != "Good" {
		t.Errorf("after a restore the right one leads to %s", c.s.Threads[0].Node)
	}
}

func TestHash(t *testing.T) {
	run := func(in map[string]flow.Value) *call {
		return start(t, build([]flow.Var{{Name: "said", Type: flow.TypeString}}, node("H", flow.OpHash, in, "ok", "S", "error", "Bad"),
			node("S", flow.OpSet, sets("said", "{{ H.HashedValue }}"), "ok", "P"), node("P", flow.OpSay, tts("x"), "ok", "E"),
			node("Bad", flow.OpSay, tts("bad"), "ok", "E"), node("E", flow.OpEnd, nil)), nil)
	}
	sum := sha256.Sum256([]byte("pepper+14155550100"))
	want := hex.EncodeToString(sum[:])
	for enc, salt := range map[string]string{"TEXT": "pepper", "HEX": "706570706572", "BASE64": "cGVwcGVy"} {
		in := map[string]flow.Value{"input": pebble("{{ NewPhoneContact.ANI }}"), "algorithm": flow.Lit("SHA256"), "salt": flow.Lit(salt), "saltEncoding": flow.Lit(enc)}
		if got := said(run(in)); got != want {
			t.Errorf("%s: %s, want %s", enc, got, want)
		}
	}
	if got := said(run(map[string]flow.Value{"input": flow.Lit("a"), "algorithm": flow.Lit("SHA-512")})); len(got) != 128 {
		t.Errorf("SHA-512 gives %q", got)
	}
	for _, in := range []map[string]flow.Value{
		{"input": flow.Lit("a"), "algorithm": flow.Lit("MD5")},
		{"input": flow.Lit("a"), "salt": flow.Lit("zz"), "saltEncoding": flow.Lit("HEX")},
	} {
		if c := run(in); c.s.Threads[0].Node != "Bad" {
			t.Errorf("%v leads to %s", in, c.s.Threads[0].Node)
		}
	}
}

// The number that was set is shown by transfers that say no other.
func TestCallerIDHoldsForTransfers(t *testing.T) {
	c := start(t, build(nil, node("N", flow.OpCallerID, map[string]flow.Value{"number": flow.Lit("+18005550199")}, "ok", "T"),
		node("T", flow.OpTransfer, map[string]flow.Value{"number": flow.Lit("+14155550111")}, "failure", "E"), node("E", flow.OpEnd, nil)), nil)
	if got := c.want(flow.CmdTransfer).Transfer; got.CallerID != "+18005550199" {
		t.Errorf("%+v", got)
	}
}

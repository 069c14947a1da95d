package flow

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Bounds of one-time passwords (Webex, "Generate OTP").
const (
	minOTP       = 4
	maxOTP       = 64
	defaultOTP   = 6
	maxOTPTries  = 10 // wrong ones, until it is no longer valid
	otpSeconds   = 300
	maxOTPSecond = 86_400
	maxOTPs      = 20 // that wait at once
)

// Variables of the session that no template can name.
const (
	varOTP      = "$OTP"
	varCallerID = "$CallerID"
)

type chash struct {
	input, salt        *ctext
	algorithm, salting string
	// hashTo and saltTo are the fields of the node that templates read: what each is called depends on the source system.
	hashTo, saltTo []string
}

func (c *compiler) hash(n *Node) *chash {
	h := &chash{
		input: c.text(n.In["input"]), salt: c.text(n.In["salt"]),
		algorithm: strings.ToUpper(strings.ReplaceAll(text(n.In["algorithm"].Lit), "-", "")), salting: strings.ToUpper(text(n.In["saltEncoding"].Lit)),
	}
	for _, f := range c.outputsOf(n, "hash", "salt") {
		if strings.Contains(strings.ToLower(f), "salt") {
			h.saltTo = append(h.saltTo, f)
		} else {
			h.hashTo = append(h.hashTo, f)
		}
	}
	return h
}

// outputsOf are the fields of a node that templates read, and names where they read all of it.
func (c *compiler) outputsOf(n *Node, names ...string) []string {
	r := c.p.reads[n.Name]
	switch {
	case r == nil:
		return nil
	case r.all:
		return names
	}
	return r.fields
}

func execHash(m *machine, _ *Thread, n *cnode) result {
	d, _ := n.data.(*chash)
	in, err := d.input.render(m.env)
	if err != nil {
		return failedErr("reading what to hash", err)
	}
	salt, err := m.saltOf(d)
	if err != nil {
		return failedErr("reading the salt", err)
	}
	data := append(salt, in...)
	var sum []byte
	switch d.algorithm {
	case "", "SHA256":
		s := sha256.Sum256(data)
		sum = s[:]
	case "SHA512":
		s := sha512.Sum512(data)
		sum = s[:]
	default:
		return failed("there is no algorithm %.20q here: use SHA256 or SHA512", d.algorithm)
	}
	for _, f := range d.hashTo {
		m.output(n.name, f, hex.EncodeToString(sum))
	}
	for _, f := range d.saltTo {
		m.output(n.name, f, hex.EncodeToString(salt))
	}
	m.bindAll(n, map[string]any{"hash": hex.EncodeToString(sum), "salt": hex.EncodeToString(salt)})
	return on(PortOK, "")
}

// saltOf decodes the salt, or draws one.
func (m *machine) saltOf(d *chash) ([]byte, error) {
	if d.salting == "AUTO" {
		salt := make([]byte, 16)
		_, _ = m.chance().Read(salt) // it never fails
		return salt, nil
	}
	s, err := d.salt.render(m.env)
	if err != nil {
		return nil, err
	}
	switch d.salting {
	case "HEX":
		return hex.DecodeString(strings.TrimSpace(s)) //nolint:wrapcheck // the caller says what was read
	case "BASE64":
		return base64.StdEncoding.DecodeString(strings.TrimSpace(s)) //nolint:wrapcheck // the caller says what was read
	}
	return []byte(s), nil
}

// chance is the step's source of secrets: the seed of the event, so that a replay draws the same. The seed itself must be
// one that nobody can guess.
func (m *machine) chance() *rand.ChaCha8 {
	key := sha256.Sum256(fmt.Appendf(nil, "%d/%d/%d/%s", m.seed, m.s.LastCommand, len(m.out.Trace), m.s.Contact.ID))
	return rand.NewChaCha8(key)
}

type cotp struct {
	reference, length, valid *ctext
	letters                  string
	reuse                    bool
	to                       []string
}

const (
	otpDigits = "0123456789"
	otpAlpha  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

func (c *compiler) otp(n *Node) *cotp {
	d := &cotp{
		reference: c.text(n.In["reference"]), length: c.text(n.In["length"]), valid: c.text(n.In["validSeconds"]),
		reuse: c.flag(n.In["reuse"]), letters: otpDigits + otpAlpha, to: c.outputsOf(n, "otp"),
	}
	switch strings.ToUpper(text(n.In["format"].Lit)) {
	case "NUMERIC":
		d.letters = otpDigits
	case "ALPHA", "ALPHABETIC":
		d.letters = otpAlpha
	}
	return d
}

func execOTP(m *machine, _ *Thread, n *cnode) result {
	d, _ := n.data.(*cotp)
	ref, err := d.reference.render(m.env)
	if err != nil {
		return failedErr("reading the reference", err)
	}
	length, err := m.numberOf(d.length, defaultOTP, minOTP, maxOTP)
	if err != nil {
		return failedErr("reading the length", err)
	}
	valid, err := m.numberOf(d.valid, otpSeconds, 1, maxOTPSecond)
	if err != nil {
		return failedErr("reading how long it is valid", err)
	}
	pin := ""
	if old := m.otpOf(ref); d.reuse && old != nil {
		pin = text(old["pin"])
	}
	if pin == "" {
		r := rand.New(m.chance()) // ChaCha8 with the event's seed: replayable, and as good as the seed
		b := make([]byte, length)
		for i := range b {
			b[i] = d.letters[r.IntN(len(d.letters))]
		}
		pin = string(b)
	}
	m.keepOTP(ref, map[string]any{"pin": pin, "until": m.s.now.Add(time.Duration(valid) * time.Second).UnixMilli(), "tries": int64(0)})
	for _, f := range d.to {
		m.output(n.name, f, pin)
	}
	m.bindAll(n, map[string]any{"otp": pin})
	return on(PortOK, "")
}

// numberOf reads a whole number within bounds.
func (m *machine) numberOf(c *ctext, def, low, high int) (int, error) {
	s, err := c.render(m.env)
	if err != nil {
		return 0, err
	}
	if s = strings.TrimSpace(s); s == "" {
		return def, nil
	}
	i, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("%.20q is not a whole number", s)
	}
	return clamp(i, low, high), nil
}

// otpOf is the password that waits under a reference; nil when there is none that is valid.
func (m *machine) otpOf(ref string) map[string]any {
	all, _ := m.s.Vars[varOTP].(map[string]any)
	one, _ := all[ref].(map[string]any)
	until, _ := one["until"].(int64)
	if one == nil || m.s.now.UnixMilli() > until {
		return nil
	}
	return one
}

// keepOTP stores the password of a reference in the place of the one before; nil forgets it.
func (m *machine) keepOTP(ref string, one map[string]any) {
	all, _ := m.s.Vars[varOTP].(map[string]any)
	next := make(map[string]any, len(all)+1)
	for k, v := range all {
		if k != ref && len(next) < maxOTPs {
			next[k] = v
		}
	}
	if one != nil {
		next[ref] = one
	}
	m.s.Vars[varOTP] = next
}

type cverify struct{ reference, otp, resend *ctext }

func execVerifyOTP(m *machine, _ *Thread, n *cnode) result {
	d, _ := n.data.(*cverify)
	ref, err := d.reference.render(m.env)
	if err != nil {
		return failedErr("reading the reference", err)
	}
	given, err := d.otp.render(m.env)
	if err != nil {
		return failedErr("reading the one-time password", err)
	}
	again, err := d.resend.render(m.env)
	if err != nil {
		return failedErr("reading what asks for another", err)
	}
	given, again = strings.TrimSpace(given), strings.TrimSpace(again)
	one := m.otpOf(ref)
	switch {
	case again != "" && given == again:
		return otherwise(n, PortResend, "another is wanted")
	case one == nil:
		return otherwise(n, PortResend, "there is none that is valid")
	case subtle.ConstantTimeCompare([]byte(given), []byte(text(one["pin"]))) == 1:
		m.keepOTP(ref, nil)
		return on(PortOK, "")
	}
	tries, _ := one["tries"].(int64)
	if tries++; tries >= maxOTPTries {
		m.keepOTP(ref, nil)
	} else {
		m.keepOTP(ref, map[string]any{"pin": one["pin"], "until": one["until"], "tries": tries})
	}
	return otherwise(n, PortFailure, "it is another one")
}

// otherwise leaves by a port, or by failure where that leads nowhere.
func otherwise(n *cnode, p Port, detail string) result {
	if n.exits[p] == nil {
		p = PortFailure
	}
	return on(p, detail)
}

func execCallerID(m *machine, _ *Thread, n *cnode) result {
	d, _ := n.data.(*ctext)
	num, err := d.render(m.env)
	if err != nil {
		return failedErr("writing the number", err)
	}
	m.s.Vars[varCallerID] = strings.TrimSpace(num)
	return on(PortOK, "")
}

// callerID is the number to show, as OpCallerID has set it.
func (m *machine) callerID() string { return text(m.s.Vars[varCallerID]) }

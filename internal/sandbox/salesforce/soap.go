package salesforce

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The SOAP API in as far as clients sign in by it: login, logout, getUserInfo and getServerTimestamp, in the partner (u) and enterprise (c)
// dialects. login ended with 64.0 (release notes of Summer '25).
const (
	maxSOAP      = 64 << 10 // bytes of an envelope
	lastSOAPFrom = 65
)

type soapEnvelope struct {
	Header struct {
		Session struct {
			ID string `xml:"sessionId"`
		} `xml:"SessionHeader"`
	} `xml:"Header"`
	Body struct {
		Login *struct {
			Username string `xml:"username"`
			Password string `xml:"password"`
		} `xml:"login"`
		Logout      *struct{} `xml:"logout"`
		GetUserInfo *struct{} `xml:"getUserInfo"`
		Timestamp   *struct{} `xml:"getServerTimestamp"`
	} `xml:"Body"`
}

// soapFault is an error in SOAP's form.
type soapFault struct{ code, message string }

func (f *soapFault) Error() string { return f.code + ": " + f.message }

// soap answers below /services/Soap: segs are the dialect, the version and perhaps the org.
func (o *Org) soap(w http.ResponseWriter, r *http.Request, segs []string) {
	body, err := o.soapAnswer(w, r, segs)
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	ns := "urn:partner.soap.sforce.com"
	if len(segs) > 0 && strings.EqualFold(segs[0], "c") {
		ns = "urn:enterprise.soap.sforce.com"
	}
	const envelope = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"` +
		` xmlns="%s" xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>%s</soapenv:Body></soapenv:Envelope>`
	if err == nil {
		_, _ = fmt.Fprintf(w, envelope, ns, body) //nolint:gosec // XML, escaped where it was made
		return
	}
	f, isFault := errors.AsType[*soapFault](err)
	if !isFault {
		_ = o.fail(r.Context(), err) // logs it
		f = &soapFault{"UNKNOWN_EXCEPTION", "see the log of the sandbox org"}
	}
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = fmt.Fprintf(w, envelope, ns, "<soapenv:Fault><faultcode>sf:"+f.code+"</faultcode><faultstring>"+f.code+": "+escapeXML(f.message)+
		`</faultstring><detail><sf:`+soapDetail(f.code)+`><sf:exceptionCode>`+f.code+"</sf:exceptionCode><sf:exceptionMessage>"+escapeXML(f.message)+
		"</sf:exceptionMessage></sf:"+soapDetail(f.code)+"></detail></soapenv:Fault>")
}

// The platform's words for a login that is refused.
const (
	invalidLogin = "INVALID_LOGIN"
	badLogin     = "Invalid username, password, security token; or user locked out."
	needsToken   = " Are you at a new location? When accessing Salesforce--either via a desktop client or the API--from outside of your company's " +
		"trusted networks, you must add a security token to your password to log in. To get your new security token, log in to Salesforce. " +
		"From your personal settings, enter Reset My Security Token in the Quick Find box, then select Reset My Security Token."
)

func soapDetail(code string) string {
	if code == invalidLogin || strings.HasPrefix(code, "LOGIN_") {
		return "LoginFault"
	}
	return "UnexpectedErrorFault"
}

func escapeXML(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}

func (o *Org) soapAnswer(w http.ResponseWriter, r *http.Request, segs []string) (string, error) {
	version, err := soapVersion(segs)
	if err != nil {
		return "", err
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxSOAP+1))
	if err != nil {
		return "", fmt.Errorf("reading the envelope: %w", err)
	}
	var env soapEnvelope
	if len(raw) > maxSOAP || xml.Unmarshal(raw, &env) != nil {
		return "", &soapFault{"UNKNOWN_EXCEPTION", "the envelope cannot be read: send SOAP 1.1 of at most 65536 bytes"}
	}
	switch {
	case env.Body.Login != nil:
		return o.soapLogin(w, r, segs, version, env.Body.Login.Username, env.Body.Login.Password)
	case env.Body.Logout != nil, env.Body.GetUserInfo != nil, env.Body.Timestamp != nil:
	default:
		return "", &soapFault{"INVALID_OPERATION", "this org answers login, logout, getUserInfo and getServerTimestamp by SOAP: use the REST API for all else"}
	}
	token := strings.TrimSpace(env.Header.Session.ID)
	s := o.sessionOf(r.Context(), token, r.RemoteAddr)
	if s == nil {
		return "", &soapFault{"INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash"}
	}
	note(w, s)
	if env.Body.Logout != nil {
		_, err := o.sessions.revoke(r.Context(), token)
		return "<logoutResponse/>", err
	}
	if env.Body.Timestamp != nil {
		return "<getServerTimestampResponse><result><timestamp>" + o.now().UTC().Format("2006-01-02T15:04:05.000Z") +
			"</timestamp></result></getServerTimestampResponse>", nil
	}
	info, err := o.soapUserInfo(r, s.user)
	return "<getUserInfoResponse><result>" + info + "</result></getUserInfoResponse>", err
}

func soapVersion(segs []string) (int, error) {
	if len(segs) < 2 || !strings.EqualFold(segs[0], "u") && !strings.EqualFold(segs[0], "c") {
		return 0, &soapFault{"UNKNOWN_EXCEPTION", "the address is /services/Soap/u/{version} or /services/Soap/c/{version}"}
	}
	n, err := strconv.Atoi(strings.TrimSuffix(segs[1], ".0"))
	if err != nil || n < minVersion || n > maxVersion {
		return 0, &soapFault{"UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL: use " + itoa(minVersion) + ".0 to " + itoa(lastSOAPFrom-1) + ".0"}
	}
	return n, nil
}

func (o *Org) soapLogin(w http.ResponseWriter, r *http.Request, segs []string, version int, username, password string) (string, error) {
	switch {
	case version >= lastSOAPFrom:
		return "", &soapFault{"UNSUPPORTED_API_VERSION", "login() is not available in API version 65.0 and later: sign in by OAuth"}
	case !o.FlowEnabled(FlowSOAPLogin):
		return "", &soapFault{"INVALID_OPERATION", "SOAP API login() is disabled by default in this org."}
	}
	user, result, err := o.byPassword(r, username, password, true)
	switch {
	case err != nil:
		return "", err
	case result == loginNeedsToken:
		return "", &soapFault{"LOGIN_MUST_USE_SECURITY_TOKEN", badLogin + needsToken}
	case result != loginOK:
		return "", &soapFault{invalidLogin, badLogin}
	case !o.mayCome(r.Context(), user.id, r.RemoteAddr):
		return "", &soapFault{"LOGIN_DURING_RESTRICTED_DOMAIN", "Users not allowed to log in from this IP address"}
	}
	if !o.usesAPI(r.Context(), user.id) {
		return "", &soapFault{"API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"}
	}
	s := session{user: user.id, client: "soap", scope: fullScope, name: user.username}
	token, err := o.sessions.add(r.Context(), s, o.opts.SessionTTL)
	if _, refused := errors.AsType[*oauthError](err); refused { // deactivated meanwhile
		return "", &soapFault{invalidLogin, badLogin}
	}
	if err != nil {
		return "", err
	}
	note(w, &s)
	info, err := o.soapUserInfo(r, user.id)
	if err != nil {
		return "", err
	}
	at := func(dialect string) string {
		return escapeXML(o.base(r) + "/services/Soap/" + dialect + "/" + itoa(version) + ".0/" + orgID[:15])
	}
	return "<loginResponse><result><metadataServerUrl>" + at("m") + "</metadataServerUrl><passwordExpired>false</passwordExpired><sandbox>true</sandbox>" +
		"<serverUrl>" + at(strings.ToLower(segs[0])) + "</serverUrl><sessionId>" + escapeXML(token) + "</sessionId><userId>" + user.id +
		"</userId><userInfo>" + info + "</userInfo></result></loginResponse>", nil
}

func (o *Org) soapUserInfo(r *http.Request, user string) (string, error) {
	u, err := readRecord(r.Context(), o.store, o.schema.object("User"), user)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range [][2]string{
		{"accessibilityMode", "false"},
		{"currencySymbol", "$"},
		{"orgDefaultCurrencyIsoCode", "USD"},
		{"organizationId", orgID},
		{"organizationMultiCurrency", "false"},
		{"organizationName", "Sandbox Org"},
		{"profileId", u.text("ProfileId")},
		{"roleId", u.text("UserRoleId")},
		{"sessionSecondsValid", strconv.FormatInt(int64(o.opts.SessionTTL/time.Second), 10)},
		{"userDefaultCurrencyIsoCode", ""},
		{"userEmail", u.text("Email")},
		{"userFullName", u.text("Name")},
		{"userId", user},
		{"userLanguage", u.text("LanguageLocaleKey")},
		{"userLocale", u.text("LocaleSidKey")},
		{"userName", u.text("Username")},
		{"userTimeZone", u.text("TimeZoneSidKey")},
		{"userType", "Standard"},
		{"userUiSkin", "Theme3"},
	} {
		if p[1] == "" {
			b.WriteString("<" + p[0] + ` xsi:nil="true"/>`)
			continue
		}
		b.WriteString("<" + p[0] + ">" + escapeXML(p[1]) + "</" + p[0] + ">")
	}
	return b.String(), nil
}

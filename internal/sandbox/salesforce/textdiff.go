package salesforce

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// textDiff is the change of a large text, which events carry in place of the text (Change Data Capture guide, "Sending Data
// Differences for Fields of Updated Records"): a unified diff of its lines without context, whose heading has the SHA-256
// of the new text.
type textDiff string

const (
	minDiffText = 1000    // characters of a text that is sent as a diff
	maxDiffWork = 1 << 20 // pairs of lines that are compared: a text with more of them is sent whole
)

// diffText returns the change from one text to another; false: the text is to be sent whole, because it is short, differs
// too much, or the diff would be no shorter.
func diffText(was, is string) (textDiff, bool) {
	before, after := utf8.RuneCountInString(was), utf8.RuneCountInString(is)
	if after < minDiffText || 2*max(before-after, after-before) > max(before, after) {
		return "", false
	}
	a, b := strings.Split(was, "\n"), strings.Split(is, "\n")
	edits, few := lineEdits(a, b)
	if !few {
		return "", false
	}
	changed := 0
	for _, e := range edits {
		changed += e.fromEnd - e.from + e.toEnd - e.to
	}
	if 4*changed > len(a)+len(b) {
		return "", false
	}
	sum := sha256.Sum256([]byte(is))
	out := append(make([]byte, 0, 256), "--- \n+++ "+hex.EncodeToString(sum[:])+"\n"...)
	for _, e := range edits {
		out = e.append(out, a, b)
	}
	return textDiff(out), len(out) <= len(is)
}

// lineEdit replaces the lines from..fromEnd of the old text by the lines to..toEnd of the new one.
type lineEdit struct{ from, fromEnd, to, toEnd int }

// append writes an edit as a hunk. A side without lines names the line before it, as diff utilities do.
func (e lineEdit) append(buf []byte, a, b []string) []byte {
	span := func(at, end int) string {
		if end == at {
			return strconv.Itoa(at) + ",0"
		}
		return strconv.Itoa(at+1) + "," + strconv.Itoa(end-at) // lines count from 1
	}
	buf = append(buf, "@@ -"+span(e.from, e.fromEnd)+" +"+span(e.to, e.toEnd)...)
	buf = append(buf, " @@\n"...)
	for _, line := range a[e.from:e.fromEnd] {
		buf = append(append(append(buf, '-'), line...), '\n')
	}
	for _, line := range b[e.to:e.toEnd] {
		buf = append(append(append(buf, '+'), line...), '\n')
	}
	return buf
}

// lineEdits finds what leads from some lines to others by their longest common subsequence; false: there are too many.
func lineEdits(a, b []string) (edits []lineEdit, few bool) {
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	if (len(x)+1)*(len(y)+1) > maxDiffWork {
		return nil, false
	}
	// common[i][j] is the length of the longest common subsequence of x[i:] and y[j:].
	common := make([][]int32, len(x)+1)
	for i := range common {
		common[i] = make([]int32, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		e := lineEdit{from: i, to: j}
		for i < len(x) || j < len(y) {
			if i < len(x) && j < len(y) && x[i] == y[j] {
				break
			}
			if j == len(y) || i < len(x) && common[i+1][j] >= common[i][j+1] {
				i++
			} else {
				j++
			}
		}
		if e.fromEnd, e.toEnd = i, j; e.fromEnd > e.from || e.toEnd > e.to {
			edits = append(edits, lineEdit{e.from + head, e.fromEnd + head, e.to + head, e.toEnd + head})
		}
		for i < len(x) && j < len(y) && x[i] == y[j] {
			i, j = i+1, j+1
		}
	}
	return slices.Clip(edits), true
}

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
	maxDiffWork = 1 << 18 // pairs of lines that are compared: a text with more of them is sent whole
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
	head := sameLines(a, b, func(l []string, i int) string { return l[i] })
	tail := sameLines(a[head:], b[head:], func(l []string, i int) string { return l[len(l)-1-i] })
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	if (len(x)+1)*(len(y)+1) > maxDiffWork {
		return nil, false
	}
	common := commonLines(x, y)
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		if i < len(x) && j < len(y) && x[i] == y[j] {
			i, j = i+1, j+1
			continue
		}
		from, to := i, j
		i, j = differing(x, y, common, i, j)
		edits = append(edits, lineEdit{from + head, i + head, to + head, j + head})
	}
	return edits, true
}

// differing passes over lines from a place on until both texts have the same, or end.
func differing(x, y []string, common [][]int32, i, j int) (int, int) {
	for i < len(x) || j < len(y) {
		switch {
		case j == len(y):
			i++
		case i == len(x):
			j++
		case x[i] == y[j]:
			return i, j
		case common[i+1][j] >= common[i][j+1]:
			i++
		default:
			j++
		}
	}
	return i, j
}

// sameLines counts the lines that two texts begin with alike, as at picks them.
func sameLines(a, b []string, at func(l []string, i int) string) int {
	n := 0
	for n < min(len(a), len(b)) && at(a, n) == at(b, n) {
		n++
	}
	return n
}

// commonLines is a table of the lengths of the longest common subsequences of a[i:] and b[j:].
func commonLines(a, b []string) [][]int32 {
	out := make([][]int32, len(a)+1)
	out[len(a)] = make([]int32, len(b)+1)
	for i, line := range slices.Backward(a) {
		out[i] = make([]int32, len(b)+1)
		for j, other := range slices.Backward(b) {
			if line == other {
				out[i][j] = out[i+1][j+1] + 1
			} else {
				out[i][j] = max(out[i+1][j], out[i][j+1])
			}
		}
	}
	return out
}

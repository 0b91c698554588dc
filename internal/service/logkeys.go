package service

import (
	"log/slog"
	"slices"
	"strconv"
)

// The keys of the attributes that each line has.
const (
	requestIDKey = "request_id"
	peerKey      = "peer"
)

// handlerKeys are the keys that the handler adds to every log line.
var handlerKeys = []string{slog.TimeKey, slog.LevelKey, slog.MessageKey, "service"}

// appendAttr appends an attribute unless attrs has the same one already. It never repeats a key: strict JSON parsers reject
// such lines, and others keep only one of the values.
func appendAttr(attrs []slog.Attr, a slog.Attr) []slog.Attr {
	if hasAttr(attrs, a) {
		return attrs
	}
	a.Key = freeKey(a.Key, attrs, nil)
	return append(attrs, a)
}

// exceptKeys changes attrs so that they can be in one line with others: it removes those that are equal, and numbers the keys
// that others have too.
func exceptKeys(attrs, others []slog.Attr) []slog.Attr {
	attrs = slices.DeleteFunc(attrs, func(a slog.Attr) bool { return hasAttr(others, a) })
	for i, a := range attrs {
		if hasKey(others, a.Key) {
			attrs[i].Key = freeKey(a.Key, attrs, others)
		}
	}
	return attrs
}

// freeKey returns key or, if that is in use, key_2, key_3 and so on.
func freeKey(key string, attrs, others []slog.Attr) string {
	free := key
	for n := 2; hasKey(attrs, free) || hasKey(others, free) || slices.Contains(handlerKeys, free); n++ {
		free = key + "_" + strconv.Itoa(n)
	}
	return free
}

func hasKey(attrs []slog.Attr, key string) bool {
	return slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == key })
}

// hasAttr reports whether attrs has the key with the same value. Groups and values of any type count as
// different: they may not be comparable.
func hasAttr(attrs []slog.Attr, wanted slog.Attr) bool {
	switch wanted.Value.Kind() {
	case slog.KindAny, slog.KindGroup:
		return false
	}
	return slices.ContainsFunc(attrs, wanted.Equal)
}

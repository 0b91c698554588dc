package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"wxgate/internal/configfile"
	wechatv1 "wxgate/proto/wechat/v1"
)

// expectation is a message and its expected answer.
type expectation struct {
	msg     *wechatv1.Message
	rule    string    // the rule that must answer; "": any
	reply   replyFunc // the reply that must be possible; nil: not checked
	silent  bool
	forward string // the bot that must be asked; "": not checked
	at      configfile.Problem
}

// readExpectation reads one item of expect:.
func (l *fileLoader) readExpectation(n *yaml.Node) {
	l.In = "expect"
	defer func() { l.In = "" }()
	e := expectation{at: configfile.Problem{File: l.FileName(), Line: n.Line, Column: n.Column, In: "expect"}}
	l.Mapping(n, "message, at, rule and one of reply, forward or silent", map[string]func(*yaml.Node){
		"message": func(n *yaml.Node) { e.msg = l.readMessage(n) },
		"at":      func(*yaml.Node) {},
		"rule":    func(n *yaml.Node) { e.rule, _ = l.Scalar(n) },
		"reply":   func(n *yaml.Node) { e.reply = l.readReply(n) },
		"forward": func(n *yaml.Node) { e.forward, _ = l.Scalar(n) },
		"silent":  func(n *yaml.Node) { e.silent = l.readSilent(n) },
	})
	given := func(key string) bool { return configfile.FindKey(n, key) != nil }
	if n.Kind == yaml.MappingNode && !slices.ContainsFunc([]string{"rule", "reply", "forward", "silent"}, given) {
		l.Fail(n, "expects nothing; expected rule, reply, forward or silent")
	}
	if given("reply") && (given("forward") || given("silent")) || given("forward") && given("silent") {
		l.Fail(n, "expects several things; expected one of reply, forward or silent")
	}
	if n.Kind == yaml.MappingNode && !given("message") {
		l.Fail(n, "message: missing; expected a text, or a message such as {event: {event: CLICK, event_key: help}}")
	}
	if at := configfile.FindKey(n, "at"); at != nil && e.msg != nil {
		t, err := time.Parse(time.RFC3339, at.Value)
		if err != nil {
			l.Fail(at, "at: expected a time such as 2026-01-31T09:30:00+08:00")
		}
		e.msg.CreateTime = t.Unix()
	}
	l.expectations = append(l.expectations, e)
}

// readMessage reads a wechat.v1.Message by its field names. A text alone is short for a text message.
func (l *fileLoader) readMessage(n *yaml.Node) *wechatv1.Message {
	if configfile.IsScalar(n) {
		return &wechatv1.Message{MsgType: "text", Content: &wechatv1.Message_Text{Text: &wechatv1.Text{Content: n.Value}}}
	}
	if alias := findAlias(n); alias != nil {
		l.Fail(alias, "aliases (*%s) are not resolved, write it out", alias.Value)
		return nil
	}
	before := len(l.load.Problems)
	l.checkMessage(n, (&wechatv1.Message{}).ProtoReflect().Descriptor())
	if len(l.load.Problems) > before {
		return nil
	}
	var value any
	err := n.Decode(&value)
	var data []byte
	if err == nil {
		data, err = json.Marshal(value)
	}
	msg := &wechatv1.Message{}
	if err == nil {
		err = protojson.Unmarshal(data, msg)
	}
	if err != nil {
		l.Fail(n, "message: not a wechat.v1.Message: %s", jsonPlace.ReplaceAllString(err.Error(), ""))
		return nil
	}
	msg.MsgType = msg.Kind()
	return msg
}

// checkMessage reports unknown fields, and values that should be messages, with their line in the YAML file. protojson would name
// a position in JSON that nobody wrote.
func (l *fileLoader) checkMessage(n *yaml.Node, desc protoreflect.MessageDescriptor) {
	fields := desc.Fields()
	var names []string
	for i := range fields.Len() {
		names = append(names, string(fields.Get(i).Name()))
	}
	if n.Kind != yaml.MappingNode {
		l.Fail(n, "expected a mapping with fields of %s, such as {%s: …}; MESSAGES.md lists them", desc.FullName(), names[0])
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field := fields.ByTextName(key.Value)
		if field == nil {
			field = fields.ByJSONName(key.Value)
		}
		switch {
		case field == nil:
			l.Fail(key, "unknown field %q of %s%s; MESSAGES.md lists them", key.Value, desc.FullName(), configfile.DidYouMean(key.Value, names))
		case field.Message() == nil || field.IsMap() || configfile.IsNull(value):
		case field.IsList() && value.Kind == yaml.SequenceNode:
			for _, item := range value.Content {
				l.checkMessage(item, field.Message())
			}
		case !field.IsList():
			l.checkMessage(value, field.Message())
		}
	}
}

// jsonPlace matches the start of protojson's errors, which names a position in the JSON made from the YAML.
var jsonPlace = regexp.MustCompile(`^proto:[\s\x{a0}]*(syntax error )?(\(line [0-9:]+\):[\s\x{a0}]*)?`)

func findAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n
	}
	for _, c := range n.Content {
		if alias := findAlias(c); alias != nil {
			return alias
		}
	}
	return nil
}

// ExpectationCount returns the number of expectations.
func (r *Rules) ExpectationCount() int { return len(r.expectations) }

// Check tries the expectations and returns those that are not met. It asks no bot.
func (r *Rules) Check(ctx context.Context) configfile.Problems {
	var unmet configfile.Problems
	for _, e := range r.expectations {
		if text := e.findMismatch(ctx, r); text != "" {
			p := e.at
			p.Text = text
			unmet = append(unmet, p)
		}
	}
	return unmet
}

// findMismatch returns the difference from the expected answer; "" if there is none.
func (e *expectation) findMismatch(ctx context.Context, r *Rules) string {
	t := r.Try(ctx, e.msg)
	got := t.String()
	switch {
	case e.rule != "" && t.Rule != e.rule:
		return fmt.Sprintf("expected rule %q, got %s", e.rule, got)
	case e.forward != "" && t.Forward != e.forward:
		return fmt.Sprintf("expected a forward to %s, got %s", e.forward, got)
	case e.silent && !t.mayReply(nil):
		return "expected no reply, got " + got
	case e.reply == nil:
		return ""
	}
	want, err := e.reply.makeChecked(ctx, e.msg)
	if err != nil {
		return "the expected reply: " + err.Error()
	}
	want, _ = want.WithoutSurplus(e.msg)
	if !t.mayReply(want) {
		return fmt.Sprintf("expected %s, got %s", formatReply(want), got)
	}
	return ""
}

// String describes the answer in one line.
func (t *Trial) String() string {
	what := "no reply"
	switch {
	case t.Rule == "":
		return "no rule"
	case t.Forward != "":
		what = "a forward to " + t.Forward
	case len(t.Replies) > 0:
		all := make([]string, len(t.Replies))
		for i, reply := range t.Replies {
			all[i] = formatReply(reply)
		}
		what = strings.Join(all, " or ")
	}
	return fmt.Sprintf("%s from rule %q (line %d)", what, t.Rule, t.Line)
}

// formatReply returns a reply as one line of JSON.
func formatReply(reply *wechatv1.Reply) string {
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(reply)
	var line bytes.Buffer
	if err == nil {
		err = json.Compact(&line, data) // protojson varies its spaces from build to build
	}
	if err != nil {
		return err.Error()
	}
	return line.String()
}

package rules

import (
	"context"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"wxgate/internal/configfile"
	wechatv1 "wxgate/proto/wechat/v1"
)

// maker makes a reply to a message.
type maker func(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error)

// setter sets one field of a reply.
type setter func(ctx context.Context, dst protoreflect.Message, msg *wechatv1.Message) error

// reply compiles a rule's reply: a mapping with the field names of wechat.v1.Reply, whose texts are templates.
// "text: hello" is short for "text: {content: hello}".
func (l *loader) reply(n *yaml.Node) maker {
	before := len(l.load.Problems)
	c := &replyCompiler{loader: l, constant: true}
	set := c.message(n, (&wechatv1.Reply{}).ProtoReflect().Descriptor())
	if n.Kind == yaml.MappingNode && len(n.Content) > 2 {
		l.Fail(n.Content[2], "a second kind of reply; expected one")
	}
	if len(l.load.Problems) > before {
		return nil
	}
	build := func(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		r := &wechatv1.Reply{}
		if err := set(ctx, r.ProtoReflect(), msg); err != nil {
			return nil, err
		}
		return r, nil
	}
	r, err := build(context.Background(), nil) // texts that follow from the message are there, and not empty
	if err == nil {
		err = r.Validate()
	}
	switch {
	case err != nil:
		l.Fail(n, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	case r.GetContent() == nil || proto.Equal(r.GetText(), &wechatv1.TextReply{}):
		l.Fail(n, "the reply says nothing; expected one that does, or silent: true in its place")
	}
	if c.constant && configfile.Find(n, "text") != nil {
		l.warnLength(configfile.Find(n, "text"), r.GetText().GetContent())
	}
	if text := r.GetText(); text != nil && !c.constant {
		return textOf(c.text) // a text is most of what is said: without reflection
	}
	if !c.constant {
		return build
	}
	return func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) { return r, nil } // always the same: made once
}

// textOf makes the reply that says a text.
func textOf(t template) maker {
	return func(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		text, err := t.text(ctx, msg)
		if err != nil {
			return nil, err
		}
		return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: text}}}, nil
	}
}

type replyCompiler struct {
	*loader
	constant bool     // no template so far
	text     template // the last one: of a text reply the only one
}

// message compiles a mapping into the fields of a message.
func (c *replyCompiler) message(n *yaml.Node, desc protoreflect.MessageDescriptor) setter {
	var setters []setter
	keys := map[string]func(*yaml.Node){}
	var names []string
	for i := range desc.Fields().Len() {
		fd := desc.Fields().Get(i)
		names = append(names, string(fd.Name()))
		keys[string(fd.Name())] = func(n *yaml.Node) { setters = append(setters, c.field(n, fd)) }
	}
	c.Mapping(n, oneOf(names), keys)
	return func(ctx context.Context, dst protoreflect.Message, msg *wechatv1.Message) error {
		for _, set := range setters {
			if err := set(ctx, dst, msg); err != nil {
				return err
			}
		}
		return nil
	}
}

// field compiles a value for one field: a text, a message or a list of messages.
func (c *replyCompiler) field(n *yaml.Node, fd protoreflect.FieldDescriptor) setter {
	switch {
	case fd.IsList():
		var items []setter
		c.List(n, func(item *yaml.Node) { items = append(items, c.message(item, fd.Message())) })
		return func(ctx context.Context, dst protoreflect.Message, msg *wechatv1.Message) error {
			list := dst.Mutable(fd).List()
			for _, set := range items {
				if err := set(ctx, list.AppendMutable().Message(), msg); err != nil {
					return err
				}
			}
			return nil
		}
	case fd.Message() != nil:
		var set setter
		if content := fd.Message().Fields().ByName("content"); content != nil && configfile.IsScalar(n) {
			set = c.template(n, content)
		} else if configfile.IsNull(n) && fd.Message().Name() == "TransferCustomerServiceReply" {
			set = func(context.Context, protoreflect.Message, *wechatv1.Message) error { return nil }
		} else {
			set = c.message(n, fd.Message())
		}
		return func(ctx context.Context, dst protoreflect.Message, msg *wechatv1.Message) error {
			return set(ctx, dst.Mutable(fd).Message(), msg)
		}
	}
	return c.template(n, fd)
}

// template compiles the text of a string field.
func (c *replyCompiler) template(n *yaml.Node, fd protoreflect.FieldDescriptor) setter {
	text, ok := c.Scalar(n)
	if !ok {
		return nil
	}
	t, problems := c.expressions.template(text)
	for _, p := range problems {
		c.FailInside(n, p.offset, "%s", p.problem)
	}
	for _, p := range t {
		c.WarnBackslash(n, p.offset, p.literal)
	}
	c.warnFailing(n, t)
	c.WarnComment(n)
	if text, ok := t.constant(); ok {
		return func(_ context.Context, dst protoreflect.Message, _ *wechatv1.Message) error {
			dst.Set(fd, protoreflect.ValueOfString(text))
			return nil
		}
	}
	c.constant, c.text = false, t
	return func(ctx context.Context, dst protoreflect.Message, msg *wechatv1.Message) error {
		if msg == nil {
			dst.Set(fd, protoreflect.ValueOfString(text))
			return nil
		}
		text, err := t.text(ctx, msg)
		if err != nil {
			return err
		}
		dst.Set(fd, protoreflect.ValueOfString(text))
		return nil
	}
}

// oneOf lists names for an error.
func oneOf(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return fmt.Sprintf("%s or %s", strings.Join(names[:last], ", "), names[last])
}

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

// replyFunc makes the reply to a message.
type replyFunc func(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error)

// fieldSetter sets one field of a reply to msg. If msg is nil, it sets a text with expressions to the text as written.
type fieldSetter func(ctx context.Context, dst protoreflect.Message, msg *wechatv1.Message) error

// readReply compiles a reply: a mapping with the field names of wechat.v1.Reply, in which each text is a template.
// "text: hello" is short for "text: {content: hello}".
func (l *fileLoader) readReply(n *yaml.Node) replyFunc {
	before := len(l.load.Problems)
	c := &replyCompiler{fileLoader: l, constant: true}
	set := c.compileMessage(n, (&wechatv1.Reply{}).ProtoReflect().Descriptor())
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
	r, err := build(context.Background(), nil) // without a message, templates stand for themselves, so that no text is empty
	if err == nil {
		err = r.Validate()
	}
	switch {
	case err != nil:
		l.Fail(n, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	case r.GetContent() == nil || proto.Equal(r.GetText(), &wechatv1.TextReply{}):
		l.Fail(n, "the reply is empty; expected one with content, or silent: true instead")
	}
	if c.constant && configfile.FindKey(n, "text") != nil {
		l.warnLength(configfile.FindKey(n, "text"), r.GetText().GetContent())
	}
	if text := r.GetText(); text != nil && !c.constant {
		return textReplyFunc(c.text) // most replies are texts: this way they need no reflection
	}
	if !c.constant {
		return build
	}
	return func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) { return r, nil } // it is always the same, and made once
}

// textReplyFunc returns a function that makes a text reply from a template.
func textReplyFunc(t textTemplate) replyFunc {
	return func(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		text, err := t.renderText(ctx, msg)
		if err != nil {
			return nil, err
		}
		return &wechatv1.Reply{Content: &wechatv1.Reply_Text{Text: &wechatv1.TextReply{Content: text}}}, nil
	}
}

type replyCompiler struct {
	*fileLoader
	constant bool         // no text with an expression was found so far
	text     textTemplate // the last one that was found; a text reply has only one
}

// compileMessage compiles a mapping whose keys are the fields of a message.
func (c *replyCompiler) compileMessage(n *yaml.Node, desc protoreflect.MessageDescriptor) fieldSetter {
	var setters []fieldSetter
	keys := map[string]func(*yaml.Node){}
	var names []string
	for i := range desc.Fields().Len() {
		fd := desc.Fields().Get(i)
		names = append(names, string(fd.Name()))
		keys[string(fd.Name())] = func(n *yaml.Node) { setters = append(setters, c.compileField(n, fd)) }
	}
	c.Mapping(n, listNames(names), keys)
	return func(ctx context.Context, dst protoreflect.Message, msg *wechatv1.Message) error {
		for _, set := range setters {
			if err := set(ctx, dst, msg); err != nil {
				return err
			}
		}
		return nil
	}
}

// compileField compiles the value of one field: a text, a message or a list of messages.
func (c *replyCompiler) compileField(n *yaml.Node, fd protoreflect.FieldDescriptor) fieldSetter {
	switch {
	case fd.IsList():
		var items []fieldSetter
		c.EachItem(n, func(item *yaml.Node) { items = append(items, c.compileMessage(item, fd.Message())) })
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
		var set fieldSetter
		if content := fd.Message().Fields().ByName("content"); content != nil && configfile.IsScalar(n) {
			set = c.compileText(n, content)
		} else if configfile.IsNull(n) && fd.Message().Name() == "TransferCustomerServiceReply" {
			set = func(context.Context, protoreflect.Message, *wechatv1.Message) error { return nil }
		} else {
			set = c.compileMessage(n, fd.Message())
		}
		return func(ctx context.Context, dst protoreflect.Message, msg *wechatv1.Message) error {
			return set(ctx, dst.Mutable(fd).Message(), msg)
		}
	}
	return c.compileText(n, fd)
}

// compileText compiles the template of a string field.
func (c *replyCompiler) compileText(n *yaml.Node, fd protoreflect.FieldDescriptor) fieldSetter {
	text, ok := c.Scalar(n)
	if !ok {
		return nil
	}
	t, problems := c.compiler.compileTemplate(text)
	for _, p := range problems {
		c.FailInside(n, p.offset, "%s", p.problem)
	}
	for _, p := range t {
		c.WarnBackslash(n, p.offset, p.literal)
	}
	c.warnFailing(n, t)
	c.WarnComment(n)
	if text, ok := t.constantText(); ok {
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
		text, err := t.renderText(ctx, msg)
		if err != nil {
			return err
		}
		dst.Set(fd, protoreflect.ValueOfString(text))
		return nil
	}
}

// listNames lists names for an error: "a, b or c".
func listNames(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return fmt.Sprintf("%s or %s", strings.Join(names[:last], ", "), names[last])
}

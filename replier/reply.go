package replier

import (
	"context"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	wechatv1 "wxgate/proto/wechat/v1"
)

// answer makes a rule's reply to a message.
type answer func(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error)

// setter sets one field of a reply.
type setter func(ctx context.Context, dst protoreflect.Message, msg *wechatv1.Message) error

// reply compiles a rule's reply: a mapping with the field names of wechat.v1.Reply, whose texts are templates.
// "text: hello" is short for "text: {content: hello}".
func (l *loader) reply(n ast.Node) answer {
	before := len(l.problems)
	c := replyCompiler{l, true}
	set := c.message(n, (&wechatv1.Reply{}).ProtoReflect().Descriptor())
	if m, ok := plain(n).(*ast.MappingNode); ok && len(m.Values) > 1 {
		l.fail(m.Values[1].Key.GetToken(), "a second kind of reply; expected one")
	}
	if len(l.problems) > before {
		return nil
	}
	build := func(ctx context.Context, msg *wechatv1.Message) (*wechatv1.Reply, error) {
		r := &wechatv1.Reply{}
		if err := set(ctx, r.ProtoReflect(), msg); err != nil {
			return nil, err
		}
		return r, nil
	}
	if !c.constant {
		return build
	}
	// Always the same: made once.
	r, err := build(context.Background(), nil)
	if err == nil {
		err = r.Validate()
	}
	switch {
	case err != nil:
		l.fail(begin(n), "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	case r.GetContent() == nil || proto.Equal(r.GetText(), &wechatv1.TextReply{}):
		l.fail(begin(n), "the reply says nothing; expected one that does, or silent: true in its place")
	}
	return func(context.Context, *wechatv1.Message) (*wechatv1.Reply, error) { return r, nil }
}

type replyCompiler struct {
	*loader
	constant bool // no template so far
}

// message compiles a mapping into the fields of a message.
func (c *replyCompiler) message(n ast.Node, desc protoreflect.MessageDescriptor) setter {
	var setters []setter
	keys := map[string]func(ast.Node){}
	var names []string
	for i := range desc.Fields().Len() {
		fd := desc.Fields().Get(i)
		names = append(names, string(fd.Name()))
		keys[string(fd.Name())] = func(n ast.Node) { setters = append(setters, c.field(n, fd)) }
	}
	c.mapping(n, oneOf(names), keys)
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
func (c *replyCompiler) field(n ast.Node, fd protoreflect.FieldDescriptor) setter {
	switch {
	case fd.IsList():
		var items []setter
		c.list(n, func(item ast.Node) { items = append(items, c.message(item, fd.Message())) })
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
		if content := fd.Message().Fields().ByName("content"); content != nil && isScalar(n) {
			set = c.template(n, content)
		} else if _, null := n.(*ast.NullNode); null && fd.Message().Name() == "TransferCustomerServiceReply" {
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
func (c *replyCompiler) template(n ast.Node, fd protoreflect.FieldDescriptor) setter {
	text, ok := c.scalar(n)
	if !ok {
		return nil
	}
	t, problems := compileTemplate(c.env, text)
	for _, p := range problems {
		c.failBehind(n.GetToken(), columnIn(n, text, p.offset), "%s", p.problem)
	}
	if text, ok := t.constant(); ok {
		return func(_ context.Context, dst protoreflect.Message, _ *wechatv1.Message) error {
			dst.Set(fd, protoreflect.ValueOfString(text))
			return nil
		}
	}
	c.constant = false
	return func(ctx context.Context, dst protoreflect.Message, msg *wechatv1.Message) error {
		text, err := t.text(ctx, msg)
		if err != nil {
			return err
		}
		dst.Set(fd, protoreflect.ValueOfString(text))
		return nil
	}
}

// columnIn returns how many columns behind its begin a scalar has the byte at offset; 0 where its text stands in
// the file otherwise than written: over several lines or with escapes.
func columnIn(n ast.Node, text string, offset int) int {
	origin := strings.TrimSpace(n.GetToken().Origin)
	at := strings.Index(origin, text)
	if at < 0 || strings.Contains(text, "\n") {
		return 0
	}
	return at + len([]rune(text[:offset]))
}

func isScalar(n ast.Node) bool {
	switch plain(n).(type) {
	case *ast.MappingNode, *ast.SequenceNode, *ast.NullNode:
		return false
	}
	return true
}

// oneOf lists names for an error.
func oneOf(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return fmt.Sprintf("%s or %s", strings.Join(names[:last], ", "), names[last])
}

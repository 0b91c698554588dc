package fakewechat

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"wxgate/internal/wechat"
)

// reason is why WeChat would refuse an answer, or why it has none: a format and its arguments, so that the chat page can
// say it in Chinese too. It unwraps to an error among the arguments.
type reason struct {
	format string
	args   []any
	text   string // English
}

func because(format string, args ...any) *reason {
	return &reason{format, args, fmt.Sprintf(format, args...)}
}

// Error implements error.
func (r *reason) Error() string { return r.text }

// Unwrap returns the error among the arguments, nil where there is none.
func (r *reason) Unwrap() error {
	for _, arg := range r.args {
		if err, ok := arg.(error); ok {
			return err
		}
	}
	return nil
}

// chinese returns the reason in Chinese. What has no Chinese, such as another library's error, stays as it is.
func (r *reason) chinese() string {
	args := make([]any, len(r.args))
	for i, arg := range r.args {
		switch a := arg.(type) {
		case error:
			args[i] = inChinese(a)
		case string:
			args[i] = cmp.Or(chinese[a], a)
		default:
			args[i] = a
		}
	}
	return fmt.Sprintf(cmp.Or(chinese[r.format], r.format), args...)
}

// inChinese returns an error's words in Chinese: those of the reason in it, where there is one.
func inChinese(err error) string {
	if r, ok := errors.AsType[*reason](err); ok {
		return r.chinese()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "超时"
	}
	return cmp.Or(chinese[err.Error()], err.Error())
}

// bilingual is a text in English and in Chinese, in the order of locales.
type bilingual [2]string

// sameInBoth returns a text that is the same in both languages, such as a path.
func sameInBoth(text string) bilingual { return bilingual{text, text} }

// inBoth returns a reason's words in both languages.
func inBoth(format string, args ...any) bilingual {
	why := because(format, args...)
	return bilingual{why.text, why.chinese()}
}

// allInBoth returns reasons in both languages.
func allInBoth(reasons []*reason) (texts []bilingual) {
	for _, r := range reasons {
		texts = append(texts, bilingual{r.text, r.chinese()})
	}
	return texts
}

// english returns the reasons' words.
func english(reasons []*reason) []string {
	var texts []string
	for _, r := range reasons {
		texts = append(texts, r.text)
	}
	return texts
}

// allInChinese returns the reasons' words in Chinese.
func allInChinese(reasons []*reason) []string {
	var texts []string
	for _, r := range reasons {
		texts = append(texts, r.chinese())
	}
	return texts
}

// chinese are the formats of reasons, and words among their arguments, in Chinese.
var chinese = map[string]string{
	"the fake platform stopped before the answer":        "应答之前模拟平台停止了",
	"no answer in three attempts":                        "三次推送都没有得到应答",
	"%s: no answer within %.1f s: %v":                    "%s：%.1f 秒内没有应答：%v",
	"%s: no answer: %v":                                  "%s：没有应答：%v",
	"no answer within %.1f s: %v":                        "%.1f 秒内没有应答：%v",
	"the connection was cut in the middle of the answer": "应答传到一半，连接断了",
	"the answer took %.1f s; WeChat hangs up after 5 s":  "应答用了 %.1f 秒；微信等 5 秒就挂断",
	"the status is %d, not 200":                          "状态码是 %d，不是 200",
	"the answer is longer than 1 MiB":                    "应答超过 1 MiB",

	"the user does not follow the account: follow it first": "用户没有关注公众号：请先关注",
	"not simulated": "未模拟",

	// What the log shows.
	"fault: %s":                              "故障：%s",
	"a code for %s":                          "给出了 code：%s",
	"send %s (attempt %d of %d)":             "发送 %s（第 %d 次，共 %d 次）",
	"send %s (attempt %d of %d), faults: %s": "发送 %s（第 %d 次，共 %d 次），故障：%s",
	"status %d in %d ms":                     "状态码 %d，%d 毫秒",

	// An account, and its gateway's URL.
	"%v":                                    "%v",
	"this is missing":                       "缺少此项",
	"this is longer than %d bytes":          "超过 %d 字节",
	"this has blanks or control characters": "含有空格或控制字符",
	"this is the original id of the account %s":                      "这是公众号 %s 的原始 ID",
	"this must be plain, compat or safe":                             "应为 plain、compat 或 safe",
	"this must be a host alone, such as %s":                          "只写域名，例如 %s",
	"this must be 43 letters or digits":                              "应为 43 个字母或数字",
	"there are %d accounts, and no more than that":                   "已有 %d 个公众号，不能再多",
	"the gateway's URL must look like %s":                            "网关的 URL 应形如 %s",
	"no gateway to send to: give the fake platform its callback URL": "缺少网关的回调 URL",
	"the status is %d, not 200: check the token":                     "状态码是 %d 而不是 200：请检查 Token",
	"the answer (%d bytes) is not echostr (%d bytes) byte for byte":  "应答（%d 字节）与 echostr（%d 字节）不一致",

	// What is no XML that WeChat reads.
	"the answer begins with a byte order mark":                                                   "应答以字节顺序标记（BOM）开头",
	"the answer is not exactly success: lower case, without blanks, newline or quotes":           "应答不完全等于 success：必须小写，不带空白、换行或引号",
	"the answer is blank: it must be XML, success, or have no byte at all":                       "应答是空白：必须是 XML、success，或者一个字节也没有",
	"the answer is JSON; official accounts take XML only":                                        "应答是 JSON；公众号只接受 XML",
	"text stands before the answer's <xml>":                                                      "应答的 <xml> 之前有文字",
	"the answer is neither XML nor success nor empty":                                            "应答既不是 XML，也不是 success，又不为空",
	"the answer is not well-formed XML: %s":                                                      "应答不是格式正确的 XML：%s",
	"the answer has a DOCTYPE":                                                                   "应答带有 DOCTYPE",
	"the answer has a processing instruction; at most an XML declaration may stand at its start": "应答带有处理指令；最多只能在开头有一个 XML 声明",
	"the answer's elements are nested deeper than %d":                                            "应答的元素嵌套超过 %d 层",
	"the answer has more than one root element":                                                  "应答有不止一个根元素",
	"the answer is an HTML page":                                                                 "应答是一个 HTML 页面",
	"the answer's root element is <%s>, not <xml>":                                               "应答的根元素是 <%s>，不是 <xml>",
	"text stands outside of the answer's <xml>":                                                  "应答的 <xml> 之外有文字",
	"the answer has no element <xml>":                                                            "应答没有 <xml> 元素",

	// The envelope.
	"the envelope":    "密文的外层 XML",
	"the envelope's ": "外层 XML 的 ",
	"the envelope holds no reply: success and the empty answer are never sealed": "密文里没有回复：success 和空应答不加密",
	"in the envelope: %v": "密文里：%v",
	"the reply is plain XML; in safe mode it must be sealed":                                         "回复是明文 XML；安全模式下必须加密",
	"the reply is sealed; in plain mode it must be plain XML":                                        "回复是密文；明文模式下必须是明文 XML",
	"the envelope must not hold <%s>":                                                                "密文的外层 XML 里不能有 <%s>",
	"the envelope's MsgSignature is not that of the token with its own TimeStamp, Nonce and Encrypt": "外层 XML 的 MsgSignature 与用 token 及其 TimeStamp、Nonce、Encrypt 算出的不符",
	"the envelope does not open with the account's key and AppID: %v":                                "用公众号的密钥和 AppID 解不开密文：%v",
	wechat.ErrBase64.Error():                                                                         "密文不是 base64（-40010）",
	wechat.ErrDecrypt.Error():                                                                        "密文的长度不是 AES 分组的整数倍（-40007）",
	wechat.ErrPadding.Error():                                                                        "密文的填充或长度不对（-40008）",
	wechat.ErrAppID.Error():                                                                          "密文属于另一个 AppID（-40005）",

	// The reply.
	"ToUserName and FromUserName are swapped: a reply goes to the user, from the account":         "ToUserName 和 FromUserName 写反了：回复由公众号发给用户",
	"ToUserName is not the user's openid, the callback's FromUserName":                            "ToUserName 不是用户的 openid，即回调里的 FromUserName",
	"FromUserName is the AppID; it must be the account's original id, the callback's ToUserName":  "FromUserName 是 AppID；必须是公众号的原始 ID，即回调里的 ToUserName",
	"FromUserName is not the account's original id, the callback's ToUserName":                    "FromUserName 不是公众号的原始 ID，即回调里的 ToUserName",
	"MsgType is %q, which is none of the seven passive replies":                                   "MsgType 是 %q，不属于七种被动回复",
	"Content has %d bytes; %d are the most":                                                       "Content 有 %d 字节；最多 %d",
	"ArticleCount is not the number of items, which is %d":                                        "ArticleCount 与 item 的个数不符，实际有 %d 个",
	"Articles holds no <item>":                                                                    "Articles 里没有 <item>",
	"%d articles; WeChat shows the first %d, and drops the others":                                "有 %d 篇图文；微信只显示前 %d 篇，丢弃其余的",
	"%d articles in the answer to a user's message; WeChat shows the first, and drops the others": "回复用户的消息用了 %d 篇图文；微信只显示第一篇，丢弃其余的",
	"Content is nothing but blanks; WeChat may take it for an empty one, which it refuses":        "Content 只有空白；微信可能当作空内容而拒绝",
	"accepted, but not shown: WeChat shows no answer to %s":                                       "会接受，但不显示：微信不显示对 %s 的回复",
	"%s%s occurs twice":                              "%s%s 出现了两次",
	"%s%s is written <%s>; the case counts":          "%s%s 写成了 <%s>；区分大小写",
	"%s%s is missing":                                "%s%s 缺失",
	"%s%s holds elements, not text":                  "%s%s 里是元素，不是文字",
	"%s%s has blanks around its CDATA":               "%s%s 的 CDATA 前后有空白",
	"%s%s begins or ends with a blank":               "%s%s 的开头或结尾有空白",
	"%s%s is empty":                                  "%s%s 是空的",
	"%s%s is no integer":                             "%s%s 不是整数",
	"%s%s is in milliseconds; it must be in seconds": "%s%s 以毫秒为单位；必须是秒",
	"text stands between the elements of %s":         "%s 的元素之间有文字",
}

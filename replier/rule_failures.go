package replier

import (
	"errors"
	"log/slog"

	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

// reportIn notes the rules that failed on a message in the line of a call, unless that is done.
func (s *Server) reportIn(line *service.Line, r *run) {
	if err := s.claimReport(r); err != nil {
		line.Fail(err)
	}
}

// report notes the rules that failed on a message in a line of their own, unless that is done: no call got the answer in
// time.
func (s *Server) report(msg *wechatv1.Message, r *run, requestID string) {
	err := s.claimReport(r)
	if err == nil {
		return
	}
	answered := ""
	if rule := r.decision.Rule; rule != nil {
		answered = rule.Name
	}
	s.log.Warn("rule failed", slog.String("request_id", requestID), slog.String("account", msg.GetAccount()),
		slog.String("user", service.Short(msg.GetFromUserName())), slog.String("msg_type", msg.GetMsgType()),
		slog.String("event", msg.GetEvent().GetEvent()), slog.String("rule", answered), slog.String("error", err.Error()))
}

// claimReport counts the rules that failed on a message, the first time it is called. The error names them; nil: there is
// nothing to report.
func (s *Server) claimReport(r *run) error {
	if !r.reported.CompareAndSwap(false, true) {
		return nil
	}
	failed := r.decision.Failed
	if len(failed) > 0 {
		s.replies.WithLabelValues("rule_failed").Add(float64(len(failed)))
	}
	return errors.Join(failed...)
}

// reportSurplus notes in a line of its own that a late answer has more articles than WeChat shows, or as customer-service
// messages takes.
func (s *Server) reportSurplus(msg *wechatv1.Message, d decision) {
	surplus := d.Surplus + max(0, len(d.Reply.GetNews().GetArticles())-maxParts)
	if surplus == 0 {
		return
	}
	s.log.Warn("articles left out", slog.String("account", msg.GetAccount()), slog.String("user", service.Short(msg.GetFromUserName())),
		slog.String("rule", d.Rule.Name), slog.Int("articles_left_out", surplus))
}

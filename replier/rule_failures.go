package replier

import (
	"errors"
	"log/slog"

	"wxgate/internal/service"
	wechatv1 "wxgate/proto/wechat/v1"
)

// reportInLine logs the rules that failed on a message in the line of a call, unless they were logged before.
func (s *Server) reportInLine(line *service.Line, j *job) {
	if err := s.claimReport(j); err != nil {
		line.Fail(err)
	}
}

// reportAlone logs the rules that failed on a message in a line of their own, unless they were logged before: no call got the
// answer in time.
func (s *Server) reportAlone(msg *wechatv1.Message, j *job, requestID string) {
	err := s.claimReport(j)
	if err == nil {
		return
	}
	answered := "" // the rule that answered nevertheless
	if rule := j.decision.Rule; rule != nil {
		answered = rule.Name
	}
	s.log.Warn("rule failed", slog.String("request_id", requestID), slog.String("account", msg.GetAccount()),
		slog.String("user", service.ShortOpenID(msg.GetFromUserName())), slog.String("msg_type", msg.GetMsgType()),
		slog.String("event", msg.GetEvent().GetEvent()), slog.String("rule", answered), slog.String("error", err.Error()))
}

// claimReport counts the rules that failed on a message, and returns them as an error; nil if none failed, or if this is not the
// first call for the job.
func (s *Server) claimReport(j *job) error {
	if !j.reported.CompareAndSwap(false, true) {
		return nil
	}
	failed := j.decision.Failed
	if len(failed) > 0 {
		s.repliesTotal.WithLabelValues(string(outcomeRuleFailed)).Add(float64(len(failed)))
	}
	return errors.Join(failed...)
}

// reportSurplus logs in a line of its own that a late answer has more articles than WeChat shows, or accepts as
// customer-service messages.
func (s *Server) reportSurplus(msg *wechatv1.Message, d decision) {
	surplus := d.Surplus + max(0, len(d.Reply.GetNews().GetArticles())-maxParts)
	if surplus == 0 {
		return
	}
	s.log.Warn("articles left out", slog.String("account", msg.GetAccount()), slog.String("user", service.ShortOpenID(msg.GetFromUserName())),
		slog.String("rule", d.Rule.Name), slog.Int("articles_left_out", surplus))
}

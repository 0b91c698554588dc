package backlog

import "cmp"

// Ending is how a message ends.
type Ending struct {
	State   State
	Reason  string `json:",omitempty"`
	Errcode string `json:",omitempty"` // WeChat's
}

// NoteFailure notes why a rule or bot failed on the message. It becomes the message's reason unless another one is known, and is
// stored with the next change of the record.
func (w *Work) NoteFailure(cause error) { w.record.Failure = cause.Error() }

// Apologize notes that no answer will come: the reply that is sent or kept only tells the user so. However that goes, the
// message ends as e says. It is stored with the next change of the record.
func (w *Work) Apologize(e Ending) { w.record.Apology = &e }

// Apology returns the argument of Apologize; nil unless that was called.
func (w *Work) Apology() *Ending { return w.record.Apology }

// WasTold reports whether the user was told to wait.
func (w *Work) WasTold() bool { return w.record.Text != "" }

// conclude ends the record. An apology is not an answer: it is forgotten, so that an operator's retry makes one.
func (r *Record) conclude(e Ending) {
	if r.Apology != nil {
		e = *r.Apology
		r.Reply, r.Parts, r.Sent, r.Apology = nil, 0, 0, nil
	}
	r.State, r.Reason, r.Errcode = e.State, cmp.Or(e.Reason, r.Failure), e.Errcode
	if r.State == Sent {
		r.Sent = r.Parts
	}
	if !isFailed(r.State) { // they are not needed any more
		r.Message, r.Reply = nil, nil
	}
}

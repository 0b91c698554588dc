package fakewechat

import (
	"cmp"
	"errors"
	"net/http"

	"wxgate/fakewechat/sender"
)

// chatAccount has the settings of an account that a page may show.
type chatAccount struct {
	AppID      string      `json:"appID"`
	OriginalID string      `json:"originalID"`
	Mode       sender.Mode `json:"mode"`
	Gateway    string      `json:"gateway"`   // "": none to send to
	WebDomain  string      `json:"webDomain"` // "": any
	Dev        bool        `json:"dev"`       // whether it is DevAccount
}

// shownAccounts returns the settings of all accounts that a page may show.
func (p *Platform) shownAccounts() []chatAccount {
	var accounts []chatAccount
	for _, acc := range p.allAccounts() {
		mode, _ := acc.settings.Validate() // an invalid key is reported when a message is sent
		a := chatAccount{AppID: acc.settings.AppID, OriginalID: acc.settings.ReceiverID(), Mode: mode, WebDomain: acc.settings.WebDomain, Dev: acc.settings == sender.DevAccount()}
		if acc.sender != nil {
			a.Gateway = acc.sender.URL
		}
		accounts = append(accounts, a)
	}
	return accounts
}

// accountForm is an account as a user enters it. Secrets that are left out keep their values.
type accountForm struct {
	AppID      string      `json:"app_id"`
	OriginalID string      `json:"original_id"`
	Gateway    string      `json:"gateway"` // the callback URL; "": none
	Mode       sender.Mode `json:"mode"`
	Token      string      `json:"token"`
	AESKey     string      `json:"aes_key"`
	AppSecret  string      `json:"app_secret"`
	WebDomain  *string     `json:"web_domain"` // left out: it keeps its value; "": any
}

// accountFromForm returns the account of a form. Secrets that the form leaves out are those of the existing account.
func (p *Platform) accountFromForm(f accountForm) sender.Account {
	a := sender.Account{AppID: f.AppID, AppSecret: f.AppSecret, Token: f.Token, AESKey: f.AESKey, OriginalID: f.OriginalID, Mode: f.Mode}
	if old := p.accountByAppID(a.AppID).settings; old.AppID == a.AppID {
		a.WebDomain = old.WebDomain
		a.AppSecret, a.Token, a.AESKey = cmp.Or(a.AppSecret, old.AppSecret), cmp.Or(a.Token, old.Token), cmp.Or(a.AESKey, old.AESKey)
	}
	if f.WebDomain != nil {
		a.WebDomain = *f.WebDomain
	}
	return a
}

// serveAccount adds or changes an account, and answers with all accounts.
func (p *Platform) serveAccount(w http.ResponseWriter, r *http.Request) {
	var f accountForm
	if problem := readJSON(w, r, &f); problem != "" {
		writeProblem(w, http.StatusBadRequest, problem)
		return
	}
	if err := p.Put(p.accountFromForm(f), f.Gateway); err != nil {
		writeAccountProblems(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"accounts": p.shownAccounts()})
}

// serveCheck checks a callback URL as WeChat's console does before it saves one.
func (p *Platform) serveCheck(w http.ResponseWriter, r *http.Request) {
	var f accountForm
	if problem := readJSON(w, r, &f); problem != "" {
		writeProblem(w, http.StatusBadRequest, problem)
		return
	}
	a := p.accountFromForm(f)
	wrong := checkAccount(a, f.Gateway)
	if f.Gateway == "" {
		wrong = append(wrong, settingProblem{"gateway", errNoGateway})
	}
	if len(wrong) > 0 {
		writeAccountProblems(w, wrong)
		return
	}
	longAnswer(w)
	if err := (&sender.Sender{URL: f.Gateway, Account: a, Now: p.now}).Verify(r.Context()); err != nil {
		writeAccountProblems(w, accountProblems{{"gateway", sender.Because("%v", errors.Unwrap(err))}})
		return
	}
	writeJSON(w, http.StatusOK, done)
}

// writeAccountProblems answers with the errors in an account, by the form's names if possible. The status is 200, so that the
// browser reports no failed request.
func writeAccountProblems(w http.ResponseWriter, err error) {
	answer := struct {
		Error    string            `json:"error"`
		ErrorZH  string            `json:"errorZH"` // in Chinese
		Fields   map[string]string `json:"fields,omitempty"`
		FieldsZH map[string]string `json:"fieldsZH,omitempty"`
	}{Error: err.Error(), ErrorZH: sender.InChinese(err)}
	if wrong := (accountProblems)(nil); errors.As(err, &wrong) {
		answer.Fields, answer.FieldsZH = map[string]string{}, map[string]string{}
		for _, f := range wrong {
			answer.Fields[f.name], answer.FieldsZH[f.name] = f.why.Error(), f.why.Chinese()
		}
	}
	writeJSON(w, http.StatusOK, answer)
}

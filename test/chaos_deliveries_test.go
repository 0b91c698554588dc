package test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// delivery is an answer that follows by the customer-service API, as a gateway's REST shows it. The names are those of
// the contract, or protobuf's JSON.
type delivery struct {
	ID     string
	State  string
	Reason string
	MsgID  string `json:"msg_id"`
	MsgId  string `json:"msgId"`
}

func (d delivery) msgID() string { return cmp.Or(d.MsgID, d.MsgId) }

// errNoDeliveries is the answer of a wxgate that has none.
var errNoDeliveries = errors.New("this wxgate knows no deliveries")

// pending are the states that a delivery does not stay in; settled those in which the user gets nothing more.
var (
	pending = []string{"PENDING", "SENDING"}
	settled = []string{"KEPT", "SILENT", "REFUSED", "GIVEN_UP", "EXPIRED", "DROPPED", "UNCERTAIN"}
)

// deliveries returns those in a state, as a gateway tells of them; at most one page where first is true.
func (c *cluster) deliveries(ctx context.Context, state string, first bool) (all []delivery, err error) {
	token := ""
	for {
		page, next, err := deliveriesPage(ctx, c.gateways[0].url, state, token)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" || first {
			return all, nil
		}
		token = next
	}
}

func deliveriesPage(ctx context.Context, base, state, token string) (page []delivery, next string, err error) {
	query := url.Values{"state": {state}}
	if token != "" {
		query.Set("page_token", token)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/deliveries?"+query.Encode(), nil)
	if err != nil {
		return nil, "", err
	}
	resp, err := watcher.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusNotImplemented:
		return nil, "", errNoDeliveries
	default:
		return nil, "", fmt.Errorf("deliveries in state %s: %s", state, resp.Status)
	}
	var answer struct {
		Deliveries     []delivery
		NextPageToken  string `json:"nextPageToken"`
		NextPageToken2 string `json:"next_page_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, "", fmt.Errorf("deliveries in state %s: %w", state, err)
	}
	return answer.Deliveries, cmp.Or(answer.NextPageToken, answer.NextPageToken2), nil
}

// busy tells whether a delivery is still to be made.
func (c *cluster) busy(ctx context.Context) (bool, error) {
	for _, state := range pending {
		page, err := c.deliveries(ctx, state, true)
		if err != nil || len(page) > 0 {
			return true, err
		}
	}
	return false, nil
}

// settledDeliveries returns the deliveries that brought the user nothing, or may not have, by MsgId.
func (c *cluster) settledDeliveries(ctx context.Context) (map[string]delivery, error) {
	byMsgID := map[string]delivery{}
	for _, state := range settled {
		all, err := c.deliveries(ctx, state, false)
		if errors.Is(err, errNoDeliveries) {
			return byMsgID, nil
		}
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			byMsgID[d.msgID()] = d
		}
	}
	return byMsgID, nil
}

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// delivery is an answer that was not ready in time, as a gateway's REST shows it.
type delivery struct {
	ID     string
	MsgID  string
	State  string
	Reason string
}

// errNoDeliveries is the answer of a wxgate that has none.
var errNoDeliveries = errors.New("this wxgate knows no deliveries")

// The states of deliveries.
const (
	statePrefix    = "DELIVERY_STATE_"
	stateUncertain = "UNCERTAIN"
)

var (
	pending = []string{"PENDING", "SENDING"}                                                          // more is to come
	unsent  = []string{"KEPT", "SILENT", "REFUSED", "GIVEN_UP", "EXPIRED", "DROPPED", stateUncertain} // nothing came, or may not have
)

// deliveries returns those in some states, as a gateway tells of them.
func (c *cluster) deliveries(ctx context.Context, states []string) (all []delivery, err error) {
	token := ""
	for {
		page, next, err := deliveriesPage(ctx, c.gateways[0].url, states, token)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			d.State = strings.TrimPrefix(d.State, statePrefix)
			if !slices.Contains(states, d.State) {
				return nil, fmt.Errorf("among the deliveries in state %v is one in state %q", states, d.State)
			}
			all = append(all, d)
		}
		if next == "" {
			return all, nil
		}
		token = next
	}
}

func deliveriesPage(ctx context.Context, base string, states []string, token string) (page []delivery, next string, err error) {
	query := url.Values{"page_size": {"1000"}}
	for _, state := range states {
		query.Add("states", statePrefix+state)
	}
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
		return nil, "", fmt.Errorf("deliveries in state %v: %s", states, resp.Status)
	}
	var answer struct {
		Deliveries    []delivery
		NextPageToken string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, "", fmt.Errorf("deliveries in state %v: %w", states, err)
	}
	return answer.Deliveries, answer.NextPageToken, nil
}

// unsent returns the deliveries that brought the user nothing, or may not have, by MsgId.
func (c *cluster) unsent(ctx context.Context) (map[string]delivery, error) {
	all, err := c.deliveries(ctx, unsent)
	if err != nil && !errors.Is(err, errNoDeliveries) {
		return nil, err
	}
	byMsgID := map[string]delivery{}
	for _, d := range all {
		byMsgID[d.MsgID] = d
	}
	return byMsgID, nil
}

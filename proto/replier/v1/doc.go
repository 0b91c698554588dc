// Package replierv1 is the contract of repliers and bots. A bot implements ReplierService: one call that is given a message
// and returns the reply to it. A replier also serves RulesService and DeliveryService.
package replierv1

'use strict'
// A bot for wxgate. It implements ReplierService of proto/replier/v1/replier.proto.

const path = require('node:path')
const { parseArgs } = require('node:util')
const { setTimeout: sleep } = require('node:timers/promises')
const grpc = require('@grpc/grpc-js')
const loader = require('@grpc/proto-loader')

const files = loader.loadSync('replier/v1/replier.proto', {
  includeDirs: [path.join(__dirname, '../../proto')],
  keepCase: true, // names as in the .proto files
  defaults: true, // an empty text is '', not undefined
  oneofs: true, // message.content names the field that is set
  longs: String,
})
const { ReplierService } = grpc.loadPackageDefinition(files).replier.v1

const margin = 500 // milliseconds of the caller's time that are kept for sending the answer
const longest = 4000 // milliseconds for a caller that sets no deadline: WeChat waits 5 s
const seen = new Map() // messages by user, until the bot stops

const say = (content) => ({ text: { content } })

// reply returns the answer to a message; undefined means no reply.
async function reply(message, deadline) {
  const user = message.from_user_name
  switch (message.content) {
    case 'text':
      return text(message.text.content, count(user), deadline)
    case 'image':
      return say(`A picture (message ${count(user)} of yours): ${message.image.pic_url}`)
    case 'event':
      return event(user, message.event.kind)
  }
}

function count(user) {
  seen.set(user, (seen.get(user) ?? 0) + 1)
  return seen.get(user)
}

async function text(content, number, deadline) {
  const words = content.replace(/^bot /, '') // the rule forwards texts with this prefix
  const wait = words.match(/^wait ([0-9]{1,6})$/)
  if (!wait) return say(`${words.toUpperCase()} (message ${number} of yours)`)

  // In place of slow work: a database, a language model.
  const left = Math.max(0, Math.min(deadline - margin - Date.now(), longest))
  try {
    await sleep(1000 * wait[1], null, { signal: AbortSignal.timeout(left) })
  } catch {
    return say('That takes too long.')
  }
  return say(`I waited ${wait[1]} s.`)
}

function event(user, kind) {
  if (kind === 'subscribe') return say('Welcome! Send me a word or a picture.')
  if (kind === 'unsubscribe') seen.delete(user) // WeChat's rule: data about the user must be deleted
}

const { listen } = parseArgs({
  options: { listen: { type: 'string', default: process.env.LISTEN || '127.0.0.1:9100' } },
}).values
const server = new grpc.Server()
server.addService(ReplierService.service, {
  Reply(call, done) {
    reply(call.request.message, call.getDeadline()).then((answer) => done(null, { reply: answer }), done)
  },
})
const host = listen.slice(0, listen.lastIndexOf(':'))
server.bindAsync(host ? listen : '0.0.0.0' + listen, grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error
  console.log(`listening on ${host}:${port}`)
})
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.tryShutdown(() => {})
    setTimeout(() => server.forceShutdown(), 5000).unref() // milliseconds for calls in flight
  })
}

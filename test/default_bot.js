'use strict'
// A bot for bots_test.go, with the settings that @grpc/grpc-js has by itself. It answers "wait N" after N seconds with
// the ReplyResponse of its argument, and "busy N" likewise, but computes all the time.

const grpc = require('@grpc/grpc-js')

const answer = Buffer.from(process.argv[2], 'hex')
const same = (bytes) => bytes
const server = new grpc.Server()
server.addService(
  {
    Reply: {
      path: '/replier.v1.ReplierService/Reply',
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  },
  {
    Reply(call, done) {
      const [, kind, seconds] = call.request.toString('latin1').match(/(wait|busy) (\d+)/)
      console.log(`got ${kind} ${seconds}`)
      if (kind === 'wait') return setTimeout(done, 1000 * seconds, null, answer)
      const end = Date.now() + 1000 * seconds
      while (Date.now() < end);
      done(null, answer)
    },
  },
)
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error
  console.log(`listening on 127.0.0.1:${port}`)
})

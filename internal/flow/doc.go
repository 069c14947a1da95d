// Package flow holds the one internal model of a call flow, compiles it and runs it as a pure step machine.
//
// A [Flow] is what importers make, editors change and databases store. [Compile] turns it into a [Program], which is
// immutable and may be shared by any number of goroutines. [Start] opens a [Session] for one contact and [Step] takes it
// one event further. Neither does I/O, reads a clock or draws a random number: the moment and the seed come in with the
// event, so that the same events always give the same commands. A driver carries the [Command]s out and reports back
// with [Event]s.
//
// # Contract between Step and the driver
//
// A session is owned by one goroutine at a time. Step changes it in place; a driver that may have to go back keeps a
// [Session.Clone] or the JSON text of the session. Commands of one Step are carried out in the order given.
//
// Command IDs are unique within a session and never used again. These commands wait for a result and hold their thread
// until it comes: Play, Music, Gather, HTTP, Timer, Transfer, Callback, Ask. At most one of them is outstanding for each
// thread, so at most [MaxThreads] for a session. Enqueue does not hold its thread: the thread walks on along the wait
// treatment while the contact stands in the queue, and at most one placement is alive for a session: a second Enqueue
// replaces the first. ScreenPop, SetCAD, Priority, Hangup, Goto and Ended have no result.
//
// Cancel names an outstanding command whose thread is gone. The driver stops it and forgets it; it need not report, and
// a result that was already on its way is dropped by Step without an error. The same holds for a result that comes
// twice, so a driver may report "at least once".
//
// Media commands (Play, Music, Gather) of the main thread stop by Cancel when an agent answers: wait treatment ends and
// so does its thread. An offer that no agent takes changes nothing and the treatment goes on. When the placement fails,
// the treatment is cancelled and the thread leaves the queue node by its failure port.
//
// Handlers (agent offered, agent answered, agent disconnected, contact ended, errors) run as threads of their own on the same
// variables. HungUp says that the caller's leg is gone: the main thread ends. ContactEnded starts its handler, after the
// wrap-up if the driver wants the disposition in it, and implies HungUp. After the hang-up threads run on without
// caller's media: play and music are passed over, menus, queues and transfers leave by their timeout or failure ports,
// HTTP requests and variables work as before. The session is over with the Ended command that has Session set, at the
// earliest after ContactEnded.
//
// A failing operation leaves by its own error port; without one the error handler of the flow takes the thread over;
// without a handler the caller hears the default announcement and is hung up on. While an agent is talking, after the
// hang-up, and in the threads of other handlers an error never touches the call: the error handler then runs without media,
// routing and disconnect. A caller who waits in a queue keeps his place when nothing handles an error of the treatment.
//
// [Session.Outstanding] lists the commands a restored session still waits for, so that a restarted driver issues them again.
package flow

import Foundation
import Logging
import OmniAPI
import OmniStore
import OmniTestSupport
import OmniWorkerAPI
import Testing

@testable import OmniGateway

/// Jobs on a server elsewhere that misbehaves. The clock is the test's: nothing here waits.
@Suite("Video jobs elsewhere", .timeLimit(.minutes(10)))
struct PeerAttemptTests {
    private struct Bench {
        let clock = ScriptedClock()
        let store: MemoryJobStore
        let files: JobFiles
        let runner: JobRunner
        private let folder: TemporaryFolder

        init(_ peer: ScriptedPeer) throws {
            let clock = clock
            store = MemoryJobStore { clock.now }
            folder = try TemporaryFolder()
            files = try JobFiles(folder: folder.url)
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            runner = JobRunner(
                store: store, files: files, catalogue: try Catalogue([CatalogueEntry(id: "far", kind: nil, backend: peer)]),
                clock: clock.clock, logger: logger)
        }

        func submit(_ id: String = "a", prompt: String = "x") async throws {
            var request = VideoGenerationRequest()
            request.prompt = prompt
            _ = try await runner.submit(NewJob(id: id, model: "far", modelName: "far", request: request, seed: 1))
        }

        func wait(_ id: String = "a", until test: (StoredJob) -> Bool = { $0.status.isOver }) async throws -> StoredJob {
            while true {
                if let job = await store.job(id), test(job) { return job }
                try await Task.sleep(for: .milliseconds(1))
            }
        }

        /// The job's end, after it was given to the peer.
        func outcome() async throws -> StoredJob {
            try await submit()
            return try await wait()
        }
    }

    @Test("a busy peer is asked again, and no attempt is counted", arguments: [503, 429])
    func busy(status: Int) async throws {
        let peer = ScriptedPeer([
            "POST /v1/videos": [.status(status, [("Retry-After", "40")]), .status(status), .status(status, [("retry-after", "2")])]
        ])
        let bench = try Bench(peer)
        let job = try await bench.outcome()
        #expect(job.status == .completed && job.attempts == 1 && job.deaths == 0)
        #expect(Array(bench.clock.sleeps.prefix(3)) == [40, 10, 20])
        #expect(Set(peer.keys) == ["a"] && peer.keys.count == 4)
    }

    @Test("one that cannot be reached, too") func unreachable() async throws {
        let bench = try Bench(ScriptedPeer(["POST /v1/videos": [.unreachable, .unreachable]]))
        let job = try await bench.outcome()
        #expect(job.status == .completed && job.attempts == 1 && job.deaths == 0)
        #expect(Array(bench.clock.sleeps.prefix(2)) == [5, 10])
    }

    @Test("Retry-After as a date") func retryAfterDate() async throws {
        let date = HTTPTime(seconds: 1_000_000 + 90).text
        let bench = try Bench(ScriptedPeer(["POST /v1/videos": [.status(503, [("Retry-After", date)])]]))
        #expect(try await bench.outcome().status == .completed)
        #expect(bench.clock.sleeps.first == 90)
    }

    @Test("while it is busy jobs keep their order, and only the first asks") func order() async throws {
        let peer = ScriptedPeer(["POST /v1/videos": Array(repeating: .status(503), count: 4)])
        let bench = try Bench(peer)
        for id in ["a", "b", "c"] { try await bench.submit(id, prompt: id) }
        for id in ["a", "b", "c"] { #expect(try await bench.wait(id).status == .completed) }
        // How many were under way before the first refusal came back is a matter of chance. Afterwards only the first asks again.
        #expect(peer.keys.count == 7)
        for id in ["b", "c"] { #expect(peer.keys.count { $0 == id } <= 2) }
    }

    @Test("patience has an end, with the peer's reason", arguments: [503, 429, 502])
    func patience(status: Int) async throws {
        let peer = ScriptedPeer([:]) { _ in .status(status, [], #"{"error":{"message":"too much to do"}}"#) }
        let bench = try Bench(peer)
        let job = try await bench.outcome()
        #expect(job.status == .failed && job.error?.code == status && job.error?.message.contains("too much to do") == true)
        #expect((3600...4000).contains(bench.clock.now - 1_000_000) && peer.log.count < 40)
    }

    @Test("what the peer refuses for good fails at once") func refused() async throws {
        let peer = ScriptedPeer(["POST /v1/videos": [.status(400, [], #"{"error":{"message":"no such size"}}"#)]])
        let bench = try Bench(peer)
        #expect(try await bench.outcome().error == VideoJobError(code: 400, message: "no such size"))
        #expect(peer.log == ["POST /v1/videos"])
    }

    @Test("connections that break while the job is followed end nothing, and the clip is made once") func resetWhilePolling() async throws {
        let peer = ScriptedPeer([
            "GET /v1/videos/there": [
                .breaksOff, .broken, .breaksOff, .unreachable, .breaksOff, .status(503),
                .status(200, [], ScriptedPeer.job("there", "in_progress")),
            ]
        ])
        let bench = try Bench(peer)
        let job = try await bench.outcome()
        #expect(job.status == .completed && job.attempts == 1 && job.deaths == 0)
        #expect(peer.posts.count == 1)
    }

    @Test("a clip whose bytes break off is fetched again") func resetWhileFetching() async throws {
        let peer = ScriptedPeer(["GET /v1/videos/there/content": [.status(500), .broken]])
        let bench = try Bench(peer)
        let job = try await bench.outcome()
        #expect(job.status == .completed && peer.posts.count == 1)
        #expect(try String(contentsOfFile: bench.files.path(job.result?.clip ?? "", of: "a"), encoding: .utf8) == "clip")
    }

    @Test("a clip that is not there any more fails the job") func clipGone() async throws {
        let peer = ScriptedPeer(["GET /v1/videos/there/content": [.status(410)]])
        let bench = try Bench(peer)
        let job = try await bench.outcome()
        #expect(job.status == .failed && job.error?.message.contains("410") == true && peer.posts.count == 1)
    }

    @Test(
        "a peer that says nothing of the job for long fails it, and is not given it twice",
        arguments: [ScriptedPeer.Answer.status(401), .status(200, [], "<html>"), .breaksOff])
    func silence(answer: ScriptedPeer.Answer) async throws {
        let peer = ScriptedPeer([:]) { request in request == "GET /v1/videos/there" ? answer : ScriptedPeer.works(request) }
        let bench = try Bench(peer)
        let job = try await bench.outcome()
        #expect(job.status == .failed && job.error?.code == 504 && peer.posts.count == 1)
        #expect((3600...3700).contains(bench.clock.now - 1_000_000))
    }

    @Test(
        "an answer that was lost: the job is looked for before it is sent again",
        arguments: [ScriptedPeer.Answer.breaksOff, .broken, .status(504)])
    func lostAnswer(answer: ScriptedPeer.Answer) async throws {
        let list =
            #"{"data":[\#(ScriptedPeer.job("other", "queued", prompt: "y")),\#(ScriptedPeer.job("old", "completed", created: 900_000)),\#(ScriptedPeer.job("there", "queued"))]}"#
        let peer = ScriptedPeer(["POST /v1/videos": [answer], "GET /v1/videos?limit=100&order=desc": [.status(200, [], list)]])
        let bench = try Bench(peer)
        let job = try await bench.outcome()
        #expect(job.status == .completed && job.remote?.id == "there")
        #expect(peer.posts.count == 1)
    }

    @Test("a server of ours is sent the same key again, which is surer") func lostAnswerOfOurs() async throws {
        let list = #"{"data":[{"id":"there","prompt":"x","created_at":1000000,"queue_position":null}]}"#
        let peer = ScriptedPeer(["POST /v1/videos": [.breaksOff], "GET /v1/videos?limit=100&order=desc": [.status(200, [], list)]])
        let bench = try Bench(peer)
        #expect(try await bench.outcome().status == .completed)
        #expect(peer.keys == ["a", "a"])
    }

    @Test("a peer without a list is sent it again") func lostAnswerWithoutList() async throws {
        let peer = ScriptedPeer(["POST /v1/videos": [.breaksOff]])
        let bench = try Bench(peer)
        #expect(try await bench.outcome().status == .completed)
        #expect(peer.log.prefix(3) == ["POST /v1/videos", "GET /v1/videos?limit=100&order=desc", "POST /v1/videos"])
    }

    @Test("a job that the peer has lost is made again") func forgotten() async throws {
        let peer = ScriptedPeer(["GET /v1/videos/there": [.status(404)]])
        let bench = try Bench(peer)
        let job = try await bench.outcome()
        #expect(job.status == .completed && job.deaths == 1 && peer.posts.count == 2)
    }

    @Test("what is sent: the request's fields as a form") func form() async throws {
        let peer = ScriptedPeer([:])
        let bench = try Bench(peer)
        _ = try await bench.outcome()
        let post = try #require(peer.posts.first)
        for field in ["name=\"prompt\"\r\n\r\nx\r\n", "name=\"model\"\r\n\r\nfar\r\n", "name=\"seed\"\r\n\r\n1\r\n"] {
            #expect(post.contains(field))
        }
    }
}

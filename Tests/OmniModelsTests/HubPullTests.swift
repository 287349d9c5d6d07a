import Foundation
import NIOHTTP1
import OmniEngine
import OmniTestSupport
import Synchronization
import Testing

@testable import OmniModels

@Suite struct HubPullTests {
    let folder: TemporaryFolder
    private let model = GGUFBuilder(architecture: "llama").bytes

    init() throws { folder = try TemporaryFolder() }

    private func bytes(_ count: Int, _ seed: UInt8 = 1) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) &+ seed } }

    /// Runs `body` against a Hub that behaves like this, with a client that is in a hurry.
    private func withHub<Result: Sendable>(
        _ behaviour: HubStandIn.Behaviour, token: String? = nil, free: Int64? = nil,
        _ body: @Sendable (HubStandIn, HubClient) async throws -> Result
    ) async throws -> Result {
        let hub = try await HubStandIn.start(behaviour)
        var configuration = HubConfiguration(endpoint: hub.endpoint, token: token, cache: folder.url.appending(path: "hub"))
        configuration.firstDelay = .milliseconds(1)
        if let free { configuration.freeSpace = { _ in free } }
        do {
            let result = try await HubClient.withClient(configuration) { try await body(hub, $0) }
            await hub.stop()
            return result
        } catch {
            await hub.stop()
            throw error
        }
    }

    private func incomplete() -> [String] {
        let blobs = folder.url.appending(path: "hub/models--o--n/blobs")
        return ((try? FileManager.default.contentsOfDirectory(atPath: blobs.path)) ?? []).filter { $0.hasSuffix(".incomplete") }
    }

    @Test func aPulledModelIsFoundByTheResolver() async throws {
        let files = ["n-Q4_0.gguf": [UInt8](model), "README.md": bytes(10), "mmproj-n-f16.gguf": bytes(700)]
        let events = Mutex<[PullEvent]>([])
        let result = try await withHub(.init(files: files, small: ["README.md"])) { _, client in
            try await client.pull(ModelReference("o/n")) { event in events.withLock { $0.append(event) } }
        }
        #expect(result.files.map(\.path) == ["n-Q4_0.gguf", "mmproj-n-f16.gguf"])
        let locations = ModelLocations(home: folder.url.appending(path: "home"), hubCache: folder.url.appending(path: "hub"))
        let found = try ModelResolver(locations: locations).resolve("o/n")
        #expect(found.kind == .text && found.mmproj != nil && found.source == .hub)
        let link = try FileManager.default.destinationOfSymbolicLink(atPath: result.snapshot.appending(path: "n-Q4_0.gguf").path)
        #expect(link == "../../blobs/" + HubStandIn.sha256([UInt8](model)))
        let total = Int64(model.count + 700)
        #expect(events.withLock { $0.first } == .started(files: 2, bytes: total, present: 0))
        #expect(events.withLock { $0.filter { if case .finished = $0 { true } else { false } }.count } == 2)
    }

    @Test func aBrokenConnectionGoesOnWhereItStopped() async throws {
        let files = ["m.gguf": bytes(1_000_000)]
        try await withHub(.init(files: files, cutAfter: 150_000, cuts: 6)) { hub, client in
            _ = try await client.pull(ModelReference("o/n"))
            let ranges = hub.fileRequests.map(\.range)
            #expect(ranges.first == .some(nil))
            #expect(ranges.count >= 2 && ranges.dropFirst().allSatisfy { $0 != nil })
        }
        #expect(incomplete().isEmpty)
    }

    @Test func aPullThatGaveUpIsTakenUpByTheNext() async throws {
        let files = ["m.gguf": bytes(400_000)]
        await #expect(throws: HubError.self) {
            try await withHub(.init(files: files, cutAfter: 100_000, cuts: 1)) { hub, client in
                // After the cut the server answers nothing but errors.
                _ = try await client.pull(ModelReference("o/n")) { event in
                    if case .retrying = event { hub.change { $0.failures = 100 } }
                }
            }
        }
        #expect(incomplete().count == 1)
        try await withHub(.init(files: files)) { hub, client in
            let started = Mutex<Int64>(0)
            _ = try await client.pull(ModelReference("o/n")) { event in
                if case .started(_, _, let present) = event { started.withLock { $0 = present } }
            }
            #expect(started.withLock { $0 } > 0)
            #expect(hub.fileRequests.first?.range?.hasPrefix("bytes=") == true)
        }
    }

    @Test func aServerWithoutRangesStartsAgain() async throws {
        try await withHub(.init(files: ["m.gguf": bytes(300_000)], cutAfter: 100_000, cuts: 1, ignoresRange: true)) { _, client in
            _ = try await client.pull(ModelReference("o/n"))
        }
    }

    @Test func leftoversOfAnotherFileAreThrownAway() async throws {
        let files = ["m.gguf": bytes(5000)]
        let hash = HubStandIn.sha256(bytes(5000))
        try folder.write("hub/models--o--n/blobs/\(hash).incomplete", Data(repeating: 9, count: 6000))
        try await withHub(.init(files: files)) { _, client in _ = try await client.pull(ModelReference("o/n")) }
        // Of the right length, of other bytes: noticed by the checksum, fetched again.
        try await withHub(.init(files: ["o.gguf": bytes(5000, 7)])) { _, client in
            try folder.write("hub/models--o--n/blobs/\(HubStandIn.sha256(bytes(5000, 7))).incomplete", Data(repeating: 9, count: 5000))
            _ = try await client.pull(ModelReference("o/n"))
        }
        #expect(incomplete().isEmpty)
    }

    @Test func twoPullsOfOneFileDoNotMix() async throws {
        let file = HubFile(path: "m.gguf", size: 10, checksum: .sha256(String(repeating: "a", count: 64)))
        let first = try await BlobWriter.open(file, in: folder.url)
        await #expect(throws: HubError.self) { _ = try await BlobWriter.open(file, in: folder.url) }
        #expect(try await first.written() == 0)
    }

    @Test func aWrongChecksumIsNeverKept() async throws {
        let files = ["m.gguf": bytes(50_000)]
        let error = await #expect(throws: HubError.self) {
            try await withHub(.init(files: files, lies: 100)) { _, client in _ = try await client.pull(ModelReference("o/n")) }
        }
        #expect(error?.problem.contains("checksum") == true)
        let cache = HubCache(root: folder.url.appending(path: "hub"))
        let blobs = cache.folder(of: try #require(HubID("o/n"))).appending(path: "blobs")
        let kept = try FileManager.default.contentsOfDirectory(atPath: blobs.path)
        #expect(kept.allSatisfy { $0.hasSuffix(".incomplete") })
        // Once is forgiven: the file is fetched again.
        try await withHub(.init(files: files, lies: 1)) { _, client in _ = try await client.pull(ModelReference("o/n")) }
    }

    @Test func whatIsThereIsNotFetchedAgain() async throws {
        var behaviour = HubStandIn.Behaviour(files: ["a-Q4_0.gguf": bytes(9000), "a-Q8_0.gguf": bytes(9000, 2)])
        try await withHub(behaviour) { hub, client in
            _ = try await client.pull(ModelReference("o/n:Q4_0"))
            _ = try await client.pull(ModelReference("o/n:Q4_0"))
            #expect(hub.fileRequests.count == 1)
        }
        // A new commit with the same bytes keeps what is here in sight.
        behaviour.commit = String(repeating: "d", count: 40)
        try await withHub(behaviour) { hub, client in
            let result = try await client.pull(ModelReference("o/n:Q8_0"))
            #expect(hub.fileRequests.count == 1)
            let names = try FileManager.default.contentsOfDirectory(atPath: result.snapshot.path)
            #expect(names.sorted() == ["a-Q4_0.gguf", "a-Q8_0.gguf"])
        }
    }

    @Test func theTokenStaysWithTheHub() async throws {
        try await withHub(.init(files: ["m.gguf": bytes(5000)], redirects: true), token: "secret") { hub, client in
            _ = try await client.pull(ModelReference("o/n"))
            let (storage, own) = (hub.seen.filter { $0.uri.hasPrefix("/storage/") }, hub.seen.filter { !$0.uri.hasPrefix("/storage/") })
            #expect(storage.map(\.authorization) == [nil])
            #expect(own.map(\.authorization) == ["Bearer secret", "Bearer secret", "Bearer secret"])
        }
    }

    @Test func aListingOfManyPages() async throws {
        var files: [String: [UInt8]] = ["model_index.json": bytes(20)]
        for index in 0..<7 { files["unet/part\(index).safetensors"] = bytes(100, UInt8(index)) }
        try await withHub(.init(files: files, small: ["model_index.json"], pageSize: 3)) { _, client in
            let result = try await client.pull(ModelReference("o/n"))
            #expect(result.files.count == 8)
        }
    }

    @Test func aFullDiskIsNoticedBeforeTheStart() async throws {
        try await withHub(.init(files: ["m.gguf": bytes(5000)]), free: 1000) { hub, client in
            let error = await #expect(throws: HubError.self) { _ = try await client.pull(ModelReference("o/n")) }
            #expect(error?.remedy?.contains("HF_HOME") == true)
            #expect(hub.fileRequests.isEmpty)
        }
    }

    @Test(arguments: ["../../../etc/passwd", "/etc/passwd", "a//b", "a/../b"])
    func hostilePathsAreRefused(_ path: String) async throws {
        await #expect(throws: HubError.self) {
            try await withHub(.init(files: ["m.gguf": bytes(10)], entryPath: path)) { _, client in
                _ = try await client.pull(ModelReference("o/n"))
            }
        }
    }

    @Test(arguments: [(401, "HF_TOKEN"), (404, "Check the name")])
    func refusalsSayWhatToDo(_ status: Int, _ hint: String) async throws {
        let error = await #expect(throws: HubError.self) {
            try await withHub(.init(files: ["m.gguf": bytes(10)], failures: 1, failureStatus: .init(statusCode: status))) { _, client in
                _ = try await client.pull(ModelReference("o/n"))
            }
        }
        #expect(error?.remedy?.contains(hint) == true)
    }
}

import Foundation
import NIOCore
import OmniAPI
import OmniEngine
import OmniMedia
import OmniRequests
import OmniStore
import OmniWorkerAPI
import Synchronization
import Testing

@testable import OmniWorkerServer

/// A model whose videos are one colour; counts how often it denoised.
private final class FlatModel: VideoModel {
    let denoised = Mutex(0)
    let card = ModelCard(kind: .video, root: "")
    let videoDefaults = VideoDefaults(
        width: 32, height: 32, frames: 5, fps: 8, steps: 3, guidanceScale: 1, multiple: 16, frameMultiple: 4, startsFromPicture: true)
    func shutdown() async {}
    func price(_ request: VideoRequest) async throws -> VideoPrice { VideoPrice(bytes: 0) }

    func generate(_ request: VideoRequest, scope: RequestScope, emit: @escaping @Sendable (VideoEvent) throws -> Void) async throws {
        let (width, height, count) = (request.width ?? 32, request.height ?? 32, request.frames ?? 5)
        try emit(.progress(.encodePrompt, step: 1, steps: 1))
        if request.latents == nil {
            denoised.withLock { $0 += 1 }
            for step in 1...3 { try emit(.progress(.denoise, step: step, steps: 3)) }
            try emit(.latents(#require(VideoLatents(shape: [1, 1, 1, 2], values: [0.25, -1]))))
        }
        for index in 0..<count {
            try scope.cancellation.check()
            try emit(
                .frame(
                    index: index, count: count,
                    #require(FloatImage(width: width, height: height, values: [Float](repeating: 0.5, count: width * height * 3)))))
        }
    }
}

/// Writes nothing and fails at a frame.
private struct FullDiskWriter: ClipWriter {
    let room: Int
    let taken = Counter()

    final class Counter: Sendable { let frames = Mutex(0) }

    func append(_ frame: Picture) throws {
        let count = taken.frames.withLock {
            $0 += 1; return $0
        }
        if count > room { throw APIError(.insufficientStorage, "There is no room for the video.") }
    }
    func finish() throws -> (bytes: Int, size: ImageSize, note: String?) {
        throw APIError(.insufficientStorage, "There is no room for the video.")
    }
    func cancel() {}
}

/// A lane that counts how often it is taken and given back.
private final class CountingLane: ComputeLane {
    let counts = Mutex((taken: 0, given: 0))
    func acquire() { counts.withLock { $0.taken += 1 } }
    func release() { counts.withLock { $0.given += 1 } }
}

@Suite struct VideoTaskRunnerTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "video-\(UUID().uuidString)")

    private func order(_ fields: String = "{}", attempt: Int = 1) throws -> VideoTask {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var json = try #require(try JSONValue.parse(fields).objectValue)
        json["prompt"] = "x"
        return try VideoTask(json: [
            "id": "j", "attempt": .int(attempt), "folder": .string(folder.path), "request": .object(json), "seed": 1,
        ])
    }

    private func video(_ order: VideoTask, _ model: FlatModel, _ makeWriter: ClipWriterMaker? = nil) async -> [VideoTaskEvent] {
        let reports = Mutex<[VideoTaskEvent]>([])
        let box = Box(reports)
        let set = VideoTaskRunner(
            order: order, model: model, limits: ImageRequestLimits(), report: { report in box.reports.withLock { $0.append(report) } },
            makeWriter: makeWriter ?? { try MP4Writer(path: $0, plan: $1, quality: $2, mostBytes: $3, options: MuxingOptions()) })
        await set.video()
        return box.reports.withLock { $0 }
    }

    private final class Box: Sendable {
        let reports: Mutex<[VideoTaskEvent]>
        init(_ reports: consuming Mutex<[VideoTaskEvent]>) { self.reports = reports }
    }

    private var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?.sorted() ?? [] }

    @Test func theClipHasTheSizeThatWasAsked() async throws {
        let reports = await video(try order(#"{"size":"50x34","num_frames":6,"fps":12}"#), FlatModel())
        guard case .done(let result) = reports.last else { return #expect(Bool(false), "\(reports)") }
        #expect((result.width, result.height, result.frames, result.fps) == (50, 34, 6, 12))
        let reader = try VideoReader(path: folder.appending(path: result.clip).path)
        #expect((reader.width, reader.height, reader.frames) == (50, 34, 6))
        #expect(names == ["clip.1.mp4", "latents", "thumbnail.1.jpg"])
        #expect(
            reports.dropLast().compactMap { if case .progress(let stage, _, _) = $0 { stage } else { nil } }.reduce(
                into: [VideoTaskStage]()
            ) { if $0.last != $1 { $0.append($1) } } == [.encode, .denoise, .decode, .mux])
    }

    @Test func aLosslessClipLosesNoColumnEither() async throws {
        let reports = await video(try order(#"{"size":"51x35","quality":"lossless"}"#), FlatModel())
        guard case .done(let result) = reports.last else { return #expect(Bool(false), "\(reports)") }
        #expect((result.width, result.height) == (51, 35) && result.note?.contains("RGB") == true)
        let frame = try VideoReader.frame(4, of: folder.appending(path: result.clip).path)
        let isSame = frame == Picture(width: 51, height: 35, red: 128, green: 128, blue: 128)
        #expect(isSame)
    }

    @Test func everyFrameIsCodedInATurnOfItsOwn() async throws {
        let lane = CountingLane()
        let reports = await video(try order(#"{"num_frames":40}"#), FlatModel()) {
            try MP4Writer(path: $0, plan: $1, quality: $2, mostBytes: $3, options: MuxingOptions(lane: lane, threads: 1))
        }
        guard case .done(let result) = reports.last else { return #expect(Bool(false), "\(reports)") }
        let (taken, given) = lane.counts.withLock { $0 }
        // Once for each frame that comes, and once more for those that the encoder kept back to look ahead, and to learn that there are no more.
        #expect(result.frames == 40 && (42...81).contains(taken) && given == taken)
    }

    @Test(arguments: [0, 2, 99]) func aDiskThatFillsWhileMuxingLosesNoLatents(room: Int) async throws {
        let model = FlatModel()
        let reports = await video(try order(), model) { _, _, _, _ in FullDiskWriter(room: room) }
        guard case .failed(let error) = reports.last else { return #expect(Bool(false), "\(reports)") }
        #expect(error.code == 507 && names == ["latents"])
        let again = await video(try order(attempt: 2), model)
        guard case .done = again.last else { return #expect(Bool(false), "\(again)") }
        #expect(model.denoised.withLock { $0 } == 1, "only decoded again")
    }

    @Test func brokenLatentsAreMadeAgain() async throws {
        let model = FlatModel()
        _ = await video(try order(), model)
        let path = folder.appending(path: "latents")
        var bytes = try Data(contentsOf: path)
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: path)
        _ = await video(try order(attempt: 2), model)
        #expect(model.denoised.withLock { $0 } == 2)
    }

    @Test func aBrokenPictureIsTheRequestsFault() async throws {
        var order = try order()
        order.hasPicture = true
        try Data("no picture".utf8).write(to: folder.appending(path: "picture"))
        guard case .failed(let error) = await video(order, FlatModel()).last else { return #expect(Bool(false)) }
        #expect(error.code == 400)
    }

    @Test func aFolderThatIsGoneIsAFailureAndNoCrash() async throws {
        let order = try order()
        try FileManager.default.removeItem(at: folder)
        guard case .failed = await video(order, FlatModel()).last else { return #expect(Bool(false)) }
        #expect(names.isEmpty)
    }
}

import Foundation
import NIOCore
import OmniAPI
import OmniEngine
import OmniGateway
import OmniMedia
import OmniStore
import Synchronization
import Testing

@testable import OmniServer

/// A model whose films are one colour; counts how often it denoised.
private final class FlatModel: VideoModel {
    let denoised = Mutex(0)
    let card = ModelCard(kind: .video, root: "")
    let videoDefaults = VideoDefaults(width: 32, height: 32, frames: 5, fps: 8, steps: 3, guidanceScale: 1, multiple: 16, frameMultiple: 4, startsFromPicture: true)
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
            try emit(.frame(index: index, count: count, #require(FloatImage(width: width, height: height, values: [Float](repeating: 0.5, count: width * height * 3)))))
        }
    }
}

/// Writes nothing and fails at a frame.
private struct FullDiskWriter: ClipWriter {
    let room: Int
    let taken = Counter()

    final class Counter: Sendable { let frames = Mutex(0) }

    func append(_ frame: Picture) throws {
        let count = taken.frames.withLock { $0 += 1; return $0 }
        if count > room { throw APIError(.insufficientStorage, "There is no room for the film.") }
    }
    func finish() throws -> (bytes: Int, size: ImageSize, note: String?) { throw APIError(.insufficientStorage, "There is no room for the film.") }
    func cancel() {}
}

/// A lane that counts how often it is taken and given back.
private final class CountingLane: ComputeLane {
    let counts = Mutex((taken: 0, given: 0))
    func acquire() { counts.withLock { $0.taken += 1 } }
    func release() { counts.withLock { $0.given += 1 } }
}

@Suite struct FilmSetTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "film-\(UUID().uuidString)")

    private func order(_ fields: String = "{}", attempt: Int = 1) throws -> FilmOrder {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var json = try #require(try JSONValue.parse(fields).objectValue)
        json["prompt"] = "x"
        return try FilmOrder(json: ["id": "j", "attempt": .int(attempt), "folder": .string(folder.path), "request": .object(json), "seed": 1])
    }

    private func film(_ order: FilmOrder, _ model: FlatModel, _ makeWriter: ClipWriterMaker? = nil) async -> [FilmReport] {
        let reports = Mutex<[FilmReport]>([])
        let box = Box(reports)
        let set = FilmSet(
            order: order, model: model, limits: ImageRequestLimits(), report: { report in box.reports.withLock { $0.append(report) } },
            makeWriter: makeWriter ?? { try MP4Writer(path: $0, plan: $1, quality: $2, mostBytes: $3, options: MuxingOptions()) })
        await set.film()
        return box.reports.withLock { $0 }
    }

    private final class Box: Sendable {
        let reports: Mutex<[FilmReport]>
        init(_ reports: consuming Mutex<[FilmReport]>) { self.reports = reports }
    }

    private var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?.sorted() ?? [] }

    @Test func theClipHasTheSizeThatWasAsked() async throws {
        let reports = await film(try order(#"{"size":"50x34","num_frames":6,"fps":12}"#), FlatModel())
        guard case .done(let result) = reports.last else { return #expect(Bool(false), "\(reports)") }
        #expect((result.width, result.height, result.frames, result.fps) == (50, 34, 6, 12))
        let reader = try VideoReader(path: folder.appending(path: result.clip).path)
        #expect((reader.width, reader.height, reader.frames) == (50, 34, 6))
        #expect(names == ["clip.1.mp4", "latents", "thumbnail.1.jpg"])
        #expect(reports.dropLast().compactMap { if case .progress(let stage, _, _) = $0 { stage } else { nil } }.reduce(into: [FilmStage]()) { if $0.last != $1 { $0.append($1) } } == [.encode, .denoise, .decode, .mux])
    }

    @Test func aLosslessClipLosesNoColumnEither() async throws {
        let reports = await film(try order(#"{"size":"51x35","quality":"lossless"}"#), FlatModel())
        guard case .done(let result) = reports.last else { return #expect(Bool(false), "\(reports)") }
        #expect((result.width, result.height) == (51, 35) && result.note?.contains("RGB") == true)
        let frame = try VideoReader.frame(4, of: folder.appending(path: result.clip).path)
        let isSame = frame == Picture(width: 51, height: 35, red: 128, green: 128, blue: 128)
        #expect(isSame)
    }

    @Test func everyFrameIsCodedInATurnOfItsOwn() async throws {
        let lane = CountingLane()
        let reports = await film(try order(#"{"num_frames":40}"#), FlatModel()) {
            try MP4Writer(path: $0, plan: $1, quality: $2, mostBytes: $3, options: MuxingOptions(lane: lane, threads: 1))
        }
        guard case .done(let result) = reports.last else { return #expect(Bool(false), "\(reports)") }
        let (taken, given) = lane.counts.withLock { $0 }
        // Once for each frame that comes, and once more for those that the encoder kept back to look ahead, and to learn that there are no more.
        #expect(result.frames == 40 && (42...81).contains(taken) && given == taken)
    }

    @Test(arguments: [0, 2, 99]) func aDiskThatFillsWhileMuxingLosesNoLatents(room: Int) async throws {
        let model = FlatModel()
        let reports = await film(try order(), model) { _, _, _, _ in FullDiskWriter(room: room) }
        guard case .failed(let error) = reports.last else { return #expect(Bool(false), "\(reports)") }
        #expect(error.code == 507 && names == ["latents"])
        let again = await film(try order(attempt: 2), model)
        guard case .done = again.last else { return #expect(Bool(false), "\(again)") }
        #expect(model.denoised.withLock { $0 } == 1, "only decoded again")
    }

    @Test func brokenLatentsAreMadeAgain() async throws {
        let model = FlatModel()
        _ = await film(try order(), model)
        let path = folder.appending(path: "latents")
        var bytes = try Data(contentsOf: path)
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: path)
        _ = await film(try order(attempt: 2), model)
        #expect(model.denoised.withLock { $0 } == 2)
    }

    @Test func aBrokenPictureIsTheRequestsFault() async throws {
        var order = try order()
        order.hasPicture = true
        try Data("no picture".utf8).write(to: folder.appending(path: "picture"))
        guard case .failed(let error) = await film(order, FlatModel()).last else { return #expect(Bool(false)) }
        #expect(error.code == 400)
    }

    @Test func aFolderThatIsGoneIsAFailureAndNoCrash() async throws {
        let order = try order()
        try FileManager.default.removeItem(at: folder)
        guard case .failed = await film(order, FlatModel()).last else { return #expect(Bool(false)) }
        #expect(names.isEmpty)
    }
}

@Suite struct FilmPlanTests {
    private let defaults = VideoDefaults(width: 832, height: 480, frames: 81, fps: 16, steps: 50, guidanceScale: 5, multiple: 16, frameMultiple: 4)

    private func plan(_ fields: String, picture: ImageSize? = nil) throws -> FilmPlan {
        var json = try #require(try JSONValue.parse(fields).objectValue)
        json["prompt"] = "x"
        return try FilmPlan(try VideoGenerationRequest(json: .object(json)), defaults, picture: picture)
    }

    @Test func whatIsLeftOpenIsTheModels() throws {
        let plan = try plan("{}")
        #expect(plan.size == ImageSize(width: 832, height: 480) && plan.frames == 81 && plan.drawnFrames == 81 && plan.fps == 16)
    }

    @Test(arguments: [
        (#"{"size":"99999x99999"}"#, "size"), (#"{"size":"4112x64"}"#, "size"), (#"{"width":4112,"height":64}"#, "width"), (#"{"width":64,"height":4112}"#, "height"),
        (#"{"num_frames":1002}"#, "num_frames"), (#"{"seconds":"63"}"#, "seconds"), (#"{"seconds":"100","num_frames":50000}"#, "num_frames"),
    ]) func whatIsTooMuchIsNamedAsItWasSent(fields: String, field: String) throws {
        var told = defaults
        (told.longestSide, told.mostFrames) = (4096, 1001)
        let facts = VideoCapabilities(told)
        // As the gateway has it from the worker.
        #expect(try VideoDefaults(VideoCapabilities(json: facts.json)) == told)
        var json = try #require(try JSONValue.parse(fields).objectValue)
        json["prompt"] = "x"
        let request = try VideoGenerationRequest(json: .object(json))
        #expect {
            try VideoDesk.check(request, pictureField: nil, facts)
        } throws: {
            let error = $0 as? APIError
            return error?.status == 400 && error?.param == "body.\(field)" && error?.message.hasPrefix("\(field): ") == true
        }
        try VideoDesk.check(request, pictureField: nil, nil)
    }

    @Test func aPictureThatTheModelCannotTakeIsNamedAsItWasSent() throws {
        let facts = VideoCapabilities(defaults)
        #expect { try VideoDesk.check(VideoGenerationRequest(), pictureField: "image_reference", facts) } throws: { ($0 as? APIError)?.param == "body.image_reference" }
        try VideoDesk.check(VideoGenerationRequest(), pictureField: nil, facts)
    }

    @Test func moreIsDrawnThanIsShown() throws {
        let plan = try plan(#"{"size":"100x50","num_frames":6}"#)
        #expect(plan.drawnSize == ImageSize(width: 112, height: 64) && plan.drawnFrames == 9 && plan.frames == 6)
    }

    @Test func secondsCountWhereFramesAreAbsent() throws {
        #expect(try plan(#"{"seconds":"2","fps":8}"#).frames == 16)
        #expect(try plan(#"{"seconds":"2"}"#).frames == 32)
        #expect(try plan(#"{"seconds":"2","num_frames":3}"#).frames == 3)
    }

    @Test func aPictureGivesTheProportions() throws {
        let plan = try plan("{}", picture: ImageSize(width: 1000, height: 1000))
        #expect(plan.size == ImageSize(width: 624, height: 624))
        #expect(try self.plan(#"{"size":"64x32"}"#, picture: ImageSize(width: 9, height: 9)).size == ImageSize(width: 64, height: 32))
    }

    @Test(arguments: [#"{"size":"16385x16"}"#, #"{"size":"1x16"}"#, #"{"num_frames":65537}"#, #"{"seconds":"2147483647","fps":240}"#]) func whatNoClipCanBeIsRefused(fields: String) {
        let error = #expect(throws: APIError.self) { try plan(fields) }
        #expect(error?.status == 400 && error?.param != nil)
    }
}

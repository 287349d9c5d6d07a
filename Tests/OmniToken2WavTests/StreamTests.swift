import Foundation
import OmniEngine
import OmniTestSupport
import Testing

@testable import OmniTensor
@testable import OmniToken2Wav

@Suite struct StreamTests {
    static let rk4 = Token2WavSettings(seed: Fixture.seed)
    static let euler = Token2WavSettings(solver: .euler, steps: 5, guidance: 0, seed: Fixture.seed)

    static func streamed(_ codes: [Int32], by step: Int, _ settings: Token2WavSettings) throws -> [[Float]] {
        let stream = try Fixture.model.get().stream(voice: "Chelsie", settings: settings)
        var pieces: [[Float]] = []
        for start in stride(from: 0, to: codes.count, by: step) {
            let waits = stream.codesUntilSound
            let more = Array(codes[start..<min(start + step, codes.count)])
            pieces.append(try stream.append(more))
            #expect(pieces[pieces.count - 1].isEmpty == (more.count < waits))
        }
        pieces.append(try stream.finish())
        #expect(try stream.finish().isEmpty && stream.codesUntilSound == 0 && stream.report.samples == 480 * codes.count)
        return pieces
    }

    @Test(arguments: [("chunks.rk4", rk4), ("chunks.euler", euler)])
    func chunksAreAsNearToTheWholeAsTheReferencesAre(_ golden: String, settings: Token2WavSettings) throws {
        let codes = try Fixture.codes()
        let chunked = try Self.streamed(codes, by: 1, settings).flatMap { $0 }
        let whole = try Fixture.model.get().decode(codes, voice: "Chelsie", settings: settings)
        let allowed = Double(try Fixture.golden(golden)[1])
        #expect(chunked.count == whole.count && relativeError(chunked, whole) < allowed)
    }

    @Test func soundDoesNotDependOnHowCodesCome() throws {
        let codes = Array(try Fixture.codes().prefix(80))
        let one = try Self.streamed(codes, by: 1, Self.euler).flatMap { $0 }
        for step in [7, 24, 80] {
            #expect(relativeError(try Self.streamed(codes, by: step, Self.euler).flatMap { $0 }, one) < 1e-4, "\(step) at once")
        }
    }

    @Test(arguments: [0, 1, 2, 11, 12, 13, 23, 24, 25, 37]) func everyLengthIsSpoken(count: Int) throws {
        let codes = Array(try Fixture.codes().prefix(count))
        let sound = try Self.streamed(codes, by: 5, Self.euler).flatMap { $0 }
        #expect(sound.count == 480 * count && sound.allSatisfy { abs($0) <= 1 })
    }

    @Test func theFirstSoundComesAfterTwoBlocks() throws {
        let stream = try Fixture.model.get().stream(voice: "Chelsie", settings: Self.euler)
        #expect(stream.codesUntilSound == 24)
        let codes = try Fixture.codes()
        #expect(try stream.append(Array(codes[..<23])).isEmpty && stream.codesUntilSound == 1)
        #expect(try stream.append([codes[23]]).count == 12 * 240)
        #expect(stream.codesUntilSound == 24)
    }

    @Test func windowsCoverEveryFrameOnce() {
        for frames in [1, 24, 25, 48, 49, 300, 1000, 2400] {
            for step in [1, 2, 50, 5000] {
                var (plan, known, windows) = (ChunkPlan(block: 24), 0, [ChunkWindow]())
                while known < frames {
                    known = min(frames, known + step)
                    while let window = plan.next(frames: known, isWhole: false) { windows.append(window) }
                }
                while let window = plan.next(frames: frames, isWhole: true) { windows.append(window) }
                #expect(windows.first?.final.lowerBound == 0 && windows.last?.final.upperBound == frames)
                #expect(zip(windows, windows.dropFirst()).allSatisfy { $0.final.upperBound == $1.final.lowerBound })
                for window in windows {
                    #expect(window.frames.lowerBound % 24 == 0 && window.final.lowerBound % 24 == 0 && window.frames.count <= plan.most)
                    #expect(window.frames.lowerBound <= window.final.lowerBound && window.frames.upperBound >= window.final.upperBound)
                    #expect(window.frames.upperBound == frames || window.frames.upperBound == window.final.upperBound + 24)
                }
            }
        }
    }

    @Test func cancellingEndsAStream() throws {
        let scope = ComputeScope(lane: FreeLane(), cancellation: CancellationToken())
        let stream = try Fixture.model.get().stream(voice: "Ethan", scope: scope)
        let codes = try Fixture.codes()
        #expect(try stream.append(Array(codes[..<10])).isEmpty)
        scope.cancellation.cancel()
        #expect(throws: CancellationError.self) { try stream.append(Array(codes[10...])) }
    }

    /// Cancelled from beside while a graph runs: what is computed then ends, and other streams go on.
    @Test func cancellingWhileItComputes() async throws {
        let (lane, token) = (GateLane(), CancellationToken())
        lane.close(after: 3)
        let codes = try Fixture.codes()
        let stopped = Task.detached {
            let stream = try Fixture.model.get().stream(voice: "Ethan", scope: ComputeScope(lane: lane, cancellation: token))
            return try stream.append(codes)
        }
        token.cancel()
        lane.open()
        await #expect(throws: CancellationError.self) { try await stopped.value }
        #expect(try Self.streamed(Array(codes.prefix(24)), by: 24, Self.euler).flatMap { $0 }.count == 24 * 480)
    }

    @Test func whatIsOutOfRangeIsRefused() throws {
        let model = try Fixture.model.get()
        func reason(_ body: () throws -> Void) -> String {
            do { try body() } catch { return "\(error)" }
            return "nothing"
        }
        #expect(reason { _ = try model.stream(voice: "x") } == "there is no voice x; the model has Chelsie, Ethan")
        #expect(
            reason { _ = try model.stream(voice: "Ethan", settings: Token2WavSettings(steps: 1)) }.contains(
                "token2wav_steps must be 2 to 100"))
        #expect(reason { _ = try model.stream(voice: "Ethan", settings: Token2WavSettings(guidance: .nan)) }.contains("token2wav_guidance"))
        #expect(reason { _ = try model.stream(voice: "Ethan").append([1, 97]) } == "codes must be 0 to 96, but one is 97")
        let stream = try model.stream(voice: "Ethan", settings: Self.euler)
        _ = try stream.finish()
        #expect(reason { _ = try stream.append([1]) }.contains("finished"))
    }

    @Test func bytesAreKnownBefore() throws {
        let model = try Fixture.model.get()
        #expect(model.weightBytes > 500_000 && model.weightBytes < 4_000_000)
        #expect(try model.streamBytes(Self.rk4) > model.streamBytes(Self.euler))
    }
}

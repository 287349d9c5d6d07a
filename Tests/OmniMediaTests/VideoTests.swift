import Foundation
import OmniAPI
import OmniMedia
import Testing

/// A folder that goes with the test.
final class Scratch {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "omni-video-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path }
    var files: [String] { (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? [] }
}

/// A bright square on a soft ground, which moves with `index`.
func latentFrame(_ index: Int, width: Int = 96, height: Int = 64) -> Picture {
    let pixels = (0..<width * height).flatMap { place -> [UInt8] in
        let (x, y) = (place % width, place / width)
        let inside = abs(x - 20 - index) < 12 && abs(y - height / 2) < 12
        return inside ? [230, 60, 40] : [UInt8(40 + x * 100 / width), UInt8(60 + y * 100 / height), 120]
    }
    return Picture(width: width, height: height, channels: 3, pixels: pixels)!
}

/// Peak signal to noise, dB.
func psnr(_ first: Picture, _ second: Picture) -> Double {
    guard first.width == second.width, first.height == second.height, first.channels == second.channels else { return 0 }
    let sum = zip(first.pixels, second.pixels).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    return sum == 0 ? 99 : 10 * log10(255 * 255 * Double(first.pixels.count) / sum)
}

@Suite("Videos")
struct VideoTests {
    let folder: Scratch

    init() throws { folder = try Scratch() }

    func write(
        _ name: String, frames: Int, fps: Double = 24, format: VideoFormat = .mp4, quality: Int = 80, width: Int = 96, height: Int = 64
    ) throws -> VideoFacts {
        let muxer = try VideoMuxer(
            path: folder.path(name), width: width, height: height, framesPerSecond: fps, format: format, quality: quality)
        for index in 0..<frames { try muxer.append(latentFrame(index, width: width, height: height)) }
        return try muxer.finish()
    }

    @Test("gives back what was written, frame by frame", arguments: VideoFormat.allCases)
    func roundTrip(format: VideoFormat) throws {
        let facts = try write("video", frames: 41, format: format)
        #expect(facts.width == 96 && facts.height == 64 && facts.frames == 41 && facts.note == nil)
        #expect(abs(facts.seconds - 41.0 / 24) < 1e-9)
        #expect(facts.bytes == (try FileManager.default.attributesOfItem(atPath: folder.path("video"))[.size] as? Int))

        let reader = try VideoReader(path: folder.path("video"))
        #expect(reader.width == 96 && reader.height == 64 && reader.frames == 41)
        #expect(reader.codec == facts.codec)
        #expect(abs(reader.framesPerSecond - 24) < 0.01)
        #expect(abs(reader.seconds - facts.seconds) < 0.01)
        var count = 0
        while let frame = try reader.next() {
            let similarity = psnr(frame, latentFrame(count))
            #expect(similarity > 30, "frame \(count)")
            count += 1
        }
        #expect(count == 41)
    }

    @Test("a lossless video gives every pixel back, whatever its size", arguments: VideoFormat.allCases, [(96, 64), (97, 63)])
    func lossless(format: VideoFormat, size: (width: Int, height: Int)) throws {
        // Noise in every colour: the hardest there is to code.
        var state: UInt32 = 7
        let frames = (0..<9).map { _ in
            let pixels = (0..<size.width * size.height * 3).map { _ -> UInt8 in
                state = state &* 1_664_525 &+ 1_013_904_223
                return UInt8(state >> 24)
            }
            return Picture(width: size.width, height: size.height, channels: 3, pixels: pixels)!
        }
        let muxer = try VideoMuxer(
            path: folder.path("video"), width: size.width, height: size.height, framesPerSecond: 8, format: format, isLossless: true)
        for frame in frames { try muxer.append(frame) }
        let facts = try muxer.finish()
        #expect((facts.width, facts.height, facts.frames) == (size.width, size.height, 9) && facts.note?.contains("browsers") == true)
        let reader = try VideoReader(path: folder.path("video"))
        for (index, frame) in frames.enumerated() {
            let isSame = try reader.next() == frame
            #expect(isSame, "frame \(index)")
        }
    }

    @Test(
        "keeps colours", arguments: VideoFormat.allCases,
        [[255, 0, 0], [0, 255, 0], [20, 40, 250], [128, 128, 128], [255, 255, 255], [0, 0, 0]] as [[UInt8]])
    func colours(format: VideoFormat, colour: [UInt8]) throws {
        let muxer = try VideoMuxer(path: folder.path("flat"), width: 64, height: 64, framesPerSecond: 8, format: format)
        for _ in 0..<3 { try muxer.append(Picture(width: 64, height: 64, red: colour[0], green: colour[1], blue: colour[2])) }
        _ = try muxer.finish()
        let frame = try VideoReader.frame(of: folder.path("flat"))
        let middle = (32 * 64 + 32) * 3
        for channel in 0..<3 { #expect(abs(Int(frame.pixels[middle + channel]) - Int(colour[channel])) <= 4) }
    }

    @Test("the same frames always give the same file", arguments: VideoFormat.allCases)
    func repeatable(format: VideoFormat) throws {
        // With noise: what is easy to code hides an encoder's own choices.
        var state: UInt32 = 1
        let frames = (0..<9).map { index in
            let pixels = latentFrame(index, width: 64, height: 48).pixels.map { value in
                state = state &* 1_664_525 &+ 1_013_904_223
                return UInt8(clamping: Int(value) + Int(state >> 27) - 16)
            }
            return Picture(width: 64, height: 48, channels: 3, pixels: pixels)!
        }
        let files = try (0..<30).map { number in
            let muxer = try VideoMuxer(path: folder.path("\(number)"), width: 64, height: 48, framesPerSecond: 16, format: format)
            for frame in frames { try muxer.append(frame) }
            _ = try muxer.finish()
            return FileManager.default.contents(atPath: folder.path("\(number)"))
        }
        #expect(Set(files).count == 1)
    }

    @Test("better quality is larger and nearer")
    func quality() throws {
        let coarse = try write("coarse", frames: 12, quality: 10)
        let fine = try write("fine", frames: 12, quality: 95)
        let distances = try ["coarse", "fine"].map { psnr(try VideoReader.frame(6, of: folder.path($0)), latentFrame(6)) }
        #expect(fine.bytes > coarse.bytes * 3 / 2)
        // The edges of the red square lose colour at any quality, which bounds both.
        #expect(distances[1] > distances[0] + 0.5)
    }

    @Test("an MP4 can be played while it is fetched: its index comes first")
    func fastStart() throws {
        _ = try write("video.mp4", frames: 10)
        let file = [UInt8](try Data(contentsOf: URL(filePath: folder.path("video.mp4"))))
        var (boxes, place): ([String], Int) = ([], 0)
        while place + 8 <= file.count {
            boxes.append(String(decoding: file[place + 4..<place + 8], as: UTF8.self))
            place += max(8, file[place..<place + 4].reduce(0) { $0 << 8 | Int($1) })
        }
        let (index, data) = (try #require(boxes.firstIndex(of: "moov")), try #require(boxes.firstIndex(of: "mdat")))
        #expect(boxes.first == "ftyp" && index < data && place == file.count, "\(boxes)")
    }

    @Test("keeps its rate and length", arguments: [8, 12.5, 16, 23.976, 24, 29.97, 30, 60], VideoFormat.allCases)
    func rates(fps: Double, format: VideoFormat) throws {
        let facts = try write("video", frames: 9, fps: fps, format: format)
        let reader = try VideoReader(path: folder.path("video"))
        #expect(abs(facts.framesPerSecond / fps - 1) < 2e-5)
        #expect(abs(reader.framesPerSecond / fps - 1) < 0.01)
        #expect(abs(reader.seconds - 9 / fps) < 0.003)
    }

    @Test("cuts an odd last row and column off, and says so", arguments: VideoFormat.allCases)
    func oddSizes(format: VideoFormat) throws {
        let facts = try write("video", frames: 3, format: format, width: 97, height: 63)
        #expect(facts.width == 96 && facts.height == 62)
        #expect(facts.note?.contains("97×63") == true && facts.note?.contains("96×62") == true)
        let frame = try VideoReader.frame(of: folder.path("video"))
        let whole = latentFrame(0, width: 97, height: 63)
        let rows = (0..<62).flatMap { (row: Int) -> [UInt8] in
            let start = row * 97 * 3
            return Array(whole.pixels[start..<start + 96 * 3])
        }
        #expect(psnr(frame, try #require(Picture(width: 96, height: 62, channels: 3, pixels: rows))) > 30)
    }

    @Test("finds any frame", arguments: VideoFormat.allCases)
    func seeking(format: VideoFormat) throws {
        _ = try write("video", frames: 61, fps: 23.976, format: format)
        var all: [Picture] = []
        let reader = try VideoReader(path: folder.path("video"))
        while let frame = try reader.next() { all.append(frame) }
        for index in [60, 0, 17, 48, 49, 1] {
            try reader.seek(toFrame: index)
            #expect(try reader.next() == all[index], "frame \(index)")
            #expect(try VideoReader.frame(index, of: folder.path("video")) == all[index], "frame \(index)")
        }
        let beyond = #expect(throws: APIError.self) { try VideoReader.frame(61, of: folder.path("video")) }
        #expect(beyond?.status == 400 && beyond?.message.contains("61 frames") == true)
    }

    @Test("makes a thumbnail", arguments: ImageFormat.encodable)
    func thumbnail(format: ImageFormat) throws {
        _ = try write("video", frames: 30)
        let file = try VideoReader.thumbnail(of: folder.path("video"), longestSide: 48, as: format)
        #expect(ImageFormat(signatureOf: file) == format)
        let small = try ImageCodec.decode(file)
        #expect(small.width == 48 && small.height == 32)
        #expect(psnr(small.flattened(), latentFrame(10).resized(width: 48, height: 32)) > 26)
        #expect(try ImageCodec.decode(VideoReader.thumbnail(of: folder.path("video"))).width == 96)
    }
}

import Foundation
import OmniAPI
import OmniEngine
import OmniMedia
import OmniRequests
import Testing

@testable import OmniWorkerServer

@Suite struct ImageJobTests {
    static let defaults = ImageDefaults(width: 64, height: 64, steps: 8, guidanceScale: 0, strength: 0.6, multiple: 16)

    static func job(_ size: ImageSize) -> ImageJob {
        ImageJob(prompt: "x", count: 2, size: size, drawing: DrawingParameters(), extras: ImageExtras(), seed: 1)
    }

    @Test func sizesGoUpToTheGrid() {
        let request = Self.job(ImageSize(width: 61, height: 33)).request(Self.defaults)
        #expect(request.width == 64 && request.height == 48 && request.count == 2)
        #expect(ImageSize(width: 64, height: 16).onGrid(16) == ImageSize(width: 64, height: 16))
        #expect(ImageSize(width: 200, height: 100).area(ofSquare: 640) == ImageSize(width: 896, height: 448))
    }

    @Test func inputsAreContinuedByTheirEdges() throws {
        var job = Self.job(ImageSize(width: 2, height: 1))
        job.source = Picture(width: 2, height: 1, channels: 3, pixels: [0, 51, 102, 153, 204, 255])
        job.mask = [0, 255]
        let request = job.request(Self.defaults)
        let input = try #require(request.input)
        #expect(input.width == 16 && input.height == 16)
        #expect(Array(input.values[..<9]) == [0, 0.2, 0.4, 0.6, 0.8, 1, 0.6, 0.8, 1])
        #expect(request.mask.map { Array($0.values[..<3]) } == [0, 1, 1])
    }

    @Test func picturesAreCroppedAndRounded() throws {
        let image = try #require(FloatImage(width: 2, height: 2, values: [0, 0.5, 1, 9, 9, 9, -1, 0.25, 2, 9, 9, 9]))
        let picture = try #require(ImageFile.picture(image, cropped: ImageSize(width: 1, height: 2)))
        #expect(picture.pixels == [0, 128, 255, 0, 64, 255])
    }

    @Test func negativeSeedsAreBits() {
        #expect(ImageJob.seed(-1) == .max)
        #expect(ImageJob.seed(7) == 7)
        #expect(ImageJob.seed(nil) <= UInt64(UInt32.max))
    }

    @Test func zipFilesHoldWhatTheySay() {
        var archive = ZipArchive()
        archive.add("a.png", Array("123456789".utf8))
        let bytes = archive.finished()
        // The check value of CRC-32, little-endian, in the local header.
        #expect(Array(bytes[14..<18]) == [0x26, 0x39, 0xF4, 0xCB])
        #expect(Array(bytes[..<4]) == [0x50, 0x4B, 3, 4] && Array(bytes[30..<35]) == Array("a.png".utf8))
        #expect(Array(bytes[(bytes.count - 22)..<(bytes.count - 18)]) == [0x50, 0x4B, 5, 6])
    }

    @Test func faultsHaveTheirStatus() {
        let faults: [(ImageModelError, Int)] = [
            (.invalid(parameter: "size", reason: "is odd"), 400), (.memory(needed: 30, lacking: 10, largestSide: 512), 507),
            (.notFinite(stage: "x", cause: "y"), 500), (.stopped, 503),
        ]
        for (fault, status) in faults { #expect(APIError(fault).status == status) }
        let memory = APIError(ImageModelError.memory(needed: 30, lacking: 10, largestSide: 512)).fullMessage
        #expect(memory.contains("10 more") && memory.contains("512x512"))
    }
}

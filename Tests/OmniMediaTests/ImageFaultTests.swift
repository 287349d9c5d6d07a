import OmniAPI
import OmniMedia
import OmniTestSupport
import Testing

@Suite("Pictures that are wrong or too large", .serialized)
struct ImageFaultTests {
    @Test("too many pixels or bytes: 413 that names both")
    func limits() throws {
        let file = try fixture("quarters.png")
        func message(_ limits: ImageLimits, _ file: [UInt8]) -> String? {
            do {
                _ = try ImageCodec.decode(file, limits: limits)
                return nil
            } catch let error as APIError { return error.status == 413 ? error.message : nil } catch { return nil }
        }
        #expect(message(ImageLimits(pixels: 383), file) == "The picture has 24×16 pixels; the limit is 383 pixels.")
        #expect(message(ImageLimits(pixels: 384), file) == nil)
        #expect(message(ImageLimits(fileBytes: 10), file)?.contains("10 bytes") == true)
        // A header that promises 2^31 × 2^31 pixels.
        var bomb = file
        for place in [16, 20] { bomb.replaceSubrange(place..<place + 4, with: [0x7F, 0xFF, 0xFF, 0xFF]) }
        #expect(message(ImageLimits(), bomb)?.contains("2147483647×2147483647") == true)
    }

    @Test(
        "what is no picture is refused with a reason",
        arguments: [
            [], [0xFF], Array("<svg xmlns='http://www.w3.org/2000/svg'/>".utf8), [0xFF, 0xD8, 0xFF], Array("BM".utf8), Array("GIF89a".utf8),
            Array("RIFF\0\0\0\0WEBPVP8 ".utf8), [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A],
        ])
    func garbage(file: [UInt8]) {
        #expect { try ImageCodec.decode(file) } throws: { status($0) == 400 }
    }

    @Test("a picture cut in half is refused", arguments: ["noise.png", "quarters.webp"])
    func cut(name: String) throws {
        let file = try fixture(name)
        #expect { try ImageCodec.decode(Array(file.prefix(file.count / 2))) } throws: { status($0) == 400 }
    }

    @Test("GIF, BMP and the like are read, not written", arguments: [ImageFormat.gif, .bmp])
    func unwritten(format: ImageFormat) {
        #expect { try ImageCodec.encode(Picture(width: 2, height: 2, red: 1, green: 2, blue: 3), as: format) } throws: { status($0) == 400 }
    }

    @Test(
        "flipped bytes never bring the process down, and leak nothing",
        arguments: ["noise.png", "quarters.jpg", "quarters.webp", "quarters-lossy.webp", "quarters.gif", "quarters.bmp"])
    func damage(name: String) throws {
        let whole = try fixture(name)
        var generator = SeededGenerator(seed: 1)
        try expectNoLeak(600) { round in
            var file = whole
            if round % 3 == 0 { file.removeLast(Int.random(in: 1..<file.count, using: &generator)) }
            for _ in 0..<(round % 5) {
                file[Int.random(in: 0..<file.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? ImageCodec.decode(file, limits: ImageLimits(pixels: 1 << 20))
        }
    }
}

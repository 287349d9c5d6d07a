import OmniAPI
import OmniMedia
import Testing

@Suite("Animated WebP")
struct WebPAnimationTests {
    private func number(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    private func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
        Array(name.utf8) + number(data.count, 4) + data + (data.count % 2 == 1 ? [0] : [])
    }

    /// An animation whose only frame is a still picture of the fixtures, on a canvas that may be larger.
    private func animation(of still: [UInt8], _ picture: Picture, width: Int, height: Int, left: Int = 0, top: Int = 0, count: Int = 1)
        -> [UInt8]
    {
        let frame =
            number(left / 2, 3) + number(top / 2, 3) + number(picture.width - 1, 3) + number(picture.height - 1, 3) + number(100, 3) + [0]
            + still[12...]
        let body =
            chunk("VP8X", [0x02, 0, 0, 0] + number(width - 1, 3) + number(height - 1, 3)) + chunk("ANIM", [255, 255, 255, 255, 0, 0])
            + (0..<count).flatMap { _ in chunk("ANMF", frame) }
        return Array("RIFF".utf8) + number(body.count + 4, 4) + Array("WEBP".utf8) + body
    }

    @Test("gives its first frame, as a GIF does", arguments: ["quarters.webp", "quarters-lossy.webp"])
    func firstFrame(name: String) throws {
        let still = try fixture(name)
        let picture = try ImageCodec.decode(still)
        #expect(try ImageCodec.decode(animation(of: still, picture, width: picture.width, height: picture.height, count: 3)) == picture)
    }

    @Test("as libwebp writes it")
    func real() throws {
        let first = try ImageCodec.decode(fixture("quarters-animated.webp")), picture = try ImageCodec.decode(fixture("quarters.png"))
        #expect(first.width == picture.width && first.height == picture.height)
        #expect(first.flattened().pixels == picture.flattened().pixels)
    }

    @Test("a frame smaller than the canvas stands where it belongs")
    func canvas() throws {
        let still = try fixture("quarters.webp")
        let picture = try ImageCodec.decode(still)
        let canvas = try ImageCodec.decode(
            animation(of: still, picture, width: picture.width + 10, height: picture.height + 6, left: 4, top: 2))
        #expect(canvas.width == picture.width + 10 && canvas.height == picture.height + 6 && canvas.channels == 4)
        #expect(canvas.pixels[3] == 0, "seen through")
        let place = (2 * canvas.width + 4) * 4
        #expect(canvas.pixels[place..<place + 3].elementsEqual(picture.pixels[..<3]) && canvas.pixels[place + 3] == 255)
    }

    @Test("cut anywhere, or with a frame beyond the canvas, it is refused")
    func damaged() throws {
        let still = try fixture("quarters.webp")
        let picture = try ImageCodec.decode(still)
        let file = animation(of: still, picture, width: picture.width, height: picture.height)
        for length in stride(from: 12, to: file.count - 8, by: 7) {
            #expect { try ImageCodec.decode(Array(file[..<length])) } throws: { status($0) == 400 }
        }
        #expect { try ImageCodec.decode(animation(of: still, picture, width: picture.width, height: picture.height, left: 2)) } throws: {
            status($0) == 400
        }
        #expect { try ImageCodec.decode(animation(of: still, picture, width: 1 << 20, height: 1 << 20)) } throws: { status($0) == 413 }
    }
}

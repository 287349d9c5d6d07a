import OmniAPI
import OmniMedia
import Testing

@Suite("Pictures")
struct ImageTests {
    /// Largest difference of any component.
    func difference(_ first: Picture, _ second: Picture) -> Int {
        guard first.width == second.width, first.height == second.height, first.channels == second.channels else { return 999 }
        return zip(first.pixels, second.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
    }

    /// Mean difference of components.
    func meanDifference(_ first: Picture, _ second: Picture) -> Double {
        guard first.pixels.count == second.pixels.count else { return 999 }
        return Double(zip(first.pixels, second.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }) / Double(first.pixels.count)
    }

    /// Soft gradients, as photographs have them.
    var gradient: Picture {
        get throws {
            let pixels = (0..<64 * 96).flatMap { place -> [UInt8] in
                let (x, y) = (place % 96, place / 96)
                return [UInt8(x * 255 / 95), UInt8(y * 255 / 63), UInt8((x + y) * 255 / 158)]
            }
            return try #require(Picture(width: 96, height: 64, channels: 3, pixels: pixels))
        }
    }

    @Test(
        "reads what Pillow writes",
        arguments: [
            ("quarters.jpg", 4.0), ("quarters.webp", 0), ("quarters-lossy.webp", 10), ("quarters.bmp", 0), ("quarters.gif", 0),
        ])
    func reading(name: String, tolerance: Double) throws {
        let (expected, picture) = (try ImageCodec.decode(fixture("quarters.png")), try ImageCodec.decode(fixture(name)))
        #expect(picture.width == 24 && picture.height == 16)
        let flat = picture.flattened()
        #expect(meanDifference(flat, expected) <= tolerance)
    }

    @Test("turns pictures upright as EXIF says", arguments: ["2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.png", "7.jpg", "8.webp"])
    func orientation(name: String) throws {
        let picture = try ImageCodec.decode(fixture("orientation-\(name)"))
        #expect(picture.width == 24 && picture.height == 16)
        #expect(meanDifference(picture.flattened(), try ImageCodec.decode(fixture("quarters.png"))) < 4)
    }

    @Test(
        "PNG and lossless WebP give the same pixels back, with alpha", arguments: [ImageFormat.png, .webp], ["noise.png", "noise-rgba.png"])
    func lossless(format: ImageFormat, name: String) throws {
        let picture = try ImageCodec.decode(fixture(name))
        let file = try ImageCodec.encode(picture, as: format, options: .init(lossless: true))
        #expect(ImageFormat(signatureOf: file) == format)
        let back = try ImageCodec.decode(file)
        // WebP keeps no colour where nothing is seen.
        if format == .webp, picture.hasAlpha {
            #expect(difference(back.flattened(), picture.flattened()) <= 1)
        } else {
            #expect(difference(back.flattened(), picture.flattened()) == 0)
            #expect(format == .webp || back.channels == picture.channels)
        }
    }

    @Test("JPEG and WebP lose little, less at higher quality", arguments: [ImageFormat.jpeg, .webp])
    func lossy(format: ImageFormat) throws {
        let picture = try gradient
        let files = try [20, 60, 95].map { try ImageCodec.encode(picture, as: format, options: .init(quality: $0)) }
        let losses = try files.map { meanDifference(try ImageCodec.decode($0), picture) }
        #expect(files[0].count < files[1].count && files[1].count < files[2].count)
        #expect(losses[2] < 2 && losses[1] < 5 && losses[2] <= losses[0], "\(losses)")
    }

    @Test("PNG's compression makes files smaller")
    func compression() throws {
        let sizes = try [0, 1, 9].map { try ImageCodec.encode(gradient, as: .png, options: .init(compression: $0)).count }
        #expect(sizes[0] > sizes[1] && sizes[1] >= sizes[2])
    }

    @Test(
        "resizes as Pillow does",
        arguments: [
            ("noise.png", "noise-bilinear-20x61.png", ResizeFilter.bilinear), ("noise.png", "noise-bicubic-20x61.png", .bicubic),
            ("noise.png", "noise-lanczos-20x61.png", .lanczos), ("noise-rgba.png", "noise-rgba-lanczos-80x18.png", .lanczos),
        ])
    func resizing(source: String, golden: String, filter: ResizeFilter) throws {
        let expected = try ImageCodec.decode(fixture(golden))
        let resized = try ImageCodec.decode(fixture(source)).resized(width: expected.width, height: expected.height, filter: filter)
        #expect(difference(resized, expected) == 0)
    }

    @Test("texts travel in PNG files")
    func texts() throws {
        let texts = [(keyword: "prompt", text: "a red cube"), (keyword: "note", text: "größer 🐈"), (keyword: "seed", text: "42")]
        let file = try ImageCodec.encode(gradient, as: .png, options: .init(texts: texts))
        #expect(ImageCodec.texts(in: file).map(\.keyword) == texts.map(\.keyword))
        #expect(ImageCodec.texts(in: file).map(\.text) == texts.map(\.text))
        #expect(try difference(ImageCodec.decode(file), gradient) == 0)
    }

    @Test("alpha lies over white in JPEG")
    func flattening() throws {
        let clear = try #require(Picture(width: 8, height: 8, channels: 4, pixels: [UInt8](repeating: 0, count: 256)))
        let back = try ImageCodec.decode(ImageCodec.encode(clear, as: .jpeg))
        #expect(back.pixels.allSatisfy { $0 > 250 })
    }
}

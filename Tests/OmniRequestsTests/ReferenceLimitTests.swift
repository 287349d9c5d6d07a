import Foundation
import OmniAPI
import OmniEngine
import OmniRequests
import Testing

@Suite struct ReferenceLimitTests {
    let limits = ReferenceLimits(count: 4, pixels: 1024 * 1024, shortestSide: 64, aspectRatio: 8)

    @Test func largePicturesBecomeSmallerAndAllAreCut() {
        func sizes(_ width: Int, _ height: Int) -> [[Int]] {
            let (resized, kept) = limits.sizes(of: ImageSize(width: width, height: height), multiple: 16)
            return [[resized.width, resized.height], [kept.width, kept.height]]
        }
        #expect(sizes(1024, 1024) == [[1024, 1024], [1024, 1024]] && sizes(97, 71) == [[97, 71], [96, 64]])
        #expect(sizes(2000, 1000) == [[1448, 724], [1440, 720]])
    }

    /// What the reference's image processor makes of them (Tools/goldens/flux2_klein.py).
    @Test func sizesEqualTheReferences() throws {
        struct Described: Decodable { let sizes: [[[Int]]] }
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/flux2-klein/small.json")
        let table = try JSONDecoder().decode(Described.self, from: Data(contentsOf: file)).sizes
        #expect(table.count > 5)
        for sizes in table {
            let (resized, kept) = limits.sizes(of: ImageSize(width: sizes[0][0], height: sizes[0][1]), multiple: 16)
            #expect([[resized.width, resized.height], [kept.width, kept.height]] == Array(sizes.dropFirst()), "\(sizes[0])")
        }
    }

    @Test func picturesThatAreTooSmallOrTooLongAreRefused() throws {
        for (width, height, fits) in [
            (64, 64, true), (512, 64, true), (63, 80, false), (80, 63, false), (513, 64, false), (64, 600, false),
        ] {
            let size = ImageSize(width: width, height: height)
            guard !fits else {
                try limits.check(size, param: "body.image")
                continue
            }
            let error = #expect(throws: APIError.self) { try limits.check(size, param: "body.image") }
            #expect(error?.status == 400 && error?.param == "body.image")
        }
    }
}

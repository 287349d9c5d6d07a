import Foundation
import Logging
import OmniAPI
import OmniEngine
import Testing

@testable import OmniText

@Suite("Model files")
struct GGUFTests {
    private func loadError(_ bytes: Data) async throws -> APIError? {
        let path = NSTemporaryDirectory() + "omni-\(UUID()).gguf"
        try bytes.write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let error = await #expect(throws: APIError.self) {
            _ = try await TextEngine.load(path: path, lane: FreeLane(), logger: Logger(label: "test"))
        }
        #expect(error?.message.contains(path) == true, "the file is named")
        return error
    }

    @Test("a file that is no GGUF is called that")
    func foreign() async throws {
        #expect(try await loadError(Data("PK\u{3}\u{4} not a model at all".utf8))?.message.contains("not a GGUF") == true)
        #expect(try await loadError(Data())?.message.contains("cut short") == true)
    }

    @Test("a model cut short anywhere is called that, with both sizes", .enabled(if: TestModel.isHere))
    func short() async throws {
        let whole = try Data(contentsOf: URL(fileURLWithPath: try #require(TestModel.path)), options: .alwaysMapped)
        for length in [10, 1000, 500_000, whole.count / 2, whole.count - 1] {
            #expect(try await loadError(whole.prefix(length))?.message.contains("cut short") == true, "\(length) bytes")
        }
    }

    @Test("a damaged header is an error, never a crash", .enabled(if: TestModel.isHere))
    func damaged() async throws {
        let whole = try Data(contentsOf: URL(fileURLWithPath: try #require(TestModel.path)), options: .alwaysMapped)
        var bytes = whole.prefix(4096)
        for place in [4, 8, 16, 24, 40] {
            bytes[place + 7] = 0xFF
            _ = try await loadError(bytes)
        }
    }

    @Test("a missing file is named")
    func missing() async throws {
        let error = await #expect(throws: APIError.self) {
            _ = try await TextEngine.load(path: "/nowhere/model.gguf", lane: FreeLane(), logger: Logger(label: "test"))
        }
        #expect(error?.message.contains("/nowhere/model.gguf") == true)
    }
}

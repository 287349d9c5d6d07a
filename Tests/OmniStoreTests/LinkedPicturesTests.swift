import Foundation
import OmniStore
import Synchronization
import Testing

@Suite("Pictures behind links")
struct LinkedPicturesTests {
    private final class Clock: Sendable {
        let seconds = Mutex(1000.0)
        func pass(_ more: Double) { seconds.withLock { $0 += more } }
    }

    private let folder = FileManager.default.temporaryDirectory.appending(path: "omni-links-\(UUID())")

    @Test("are there for an hour, and the oldest go where room is needed")
    func lifetimes() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let clock = Clock()
        let pictures = LinkedPictures(folder: folder, quota: 10) { clock.seconds.withLock { $0 } }
        let first = try await pictures.keep([1, 2, 3, 4], contentType: "image/png")
        #expect(first.id.hasPrefix("img_") && first.id.count == 36)
        #expect(await pictures.picture(first.id) == first)
        #expect(FileManager.default.contents(atPath: first.path) == Data([1, 2, 3, 4]))
        clock.pass(60)
        let second = try await pictures.keep([5, 6, 7, 8], contentType: "image/webp")
        let third = try await pictures.keep([9, 9, 9, 9], contentType: "image/png")
        #expect(await pictures.picture(first.id) == nil)
        #expect(!FileManager.default.fileExists(atPath: first.path))
        clock.pass(LinkedPictures.lifetime - 1)
        #expect(await pictures.picture(second.id) != nil)
        clock.pass(2)
        #expect(await pictures.picture(third.id) == nil)
        await #expect(throws: (any Error).self) { try await pictures.keep(Array(repeating: 0, count: 11), contentType: "image/png") }
    }

    @Test("what an earlier server left is gone")
    func leavings() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let old = folder.appending(path: "img_old")
        try Data([1]).write(to: old)
        _ = try await LinkedPictures(folder: folder).keep([1], contentType: "image/png")
        #expect(!FileManager.default.fileExists(atPath: old.path))
    }

    @Test("the first pictures may come side by side")
    func sideBySide() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let pictures = LinkedPictures(folder: folder)
        let kept = try await withThrowingTaskGroup(of: LinkedPictures.Picture.self) { group in
            for index in 0..<20 { group.addTask { try await pictures.keep([UInt8(index)], contentType: "image/png") } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for picture in kept { #expect(FileManager.default.fileExists(atPath: picture.path)) }
    }
}

import Foundation
import OmniAPI
import OmniMedia
import Testing

@Suite("Videos that fail")
struct VideoFaultTests {
    let folder: Scratch

    init() throws { folder = try Scratch() }

    func muxer(_ name: String, format: VideoFormat = .mp4, mostBytes: Int? = nil) throws -> VideoMuxer {
        try VideoMuxer(path: folder.path(name), width: 96, height: 64, framesPerSecond: 24, format: format, mostBytes: mostBytes)
    }

    /// The status with which `body` fails.
    func failure(_ body: () throws -> Void) -> Int? {
        do { try body() } catch { return status(error) }
        return nil
    }

    #if os(Linux)
        @Test("a full disk is told as one", arguments: VideoFormat.allCases)
        func diskFull(format: VideoFormat) throws {
            let code = failure {
                let muxer = try VideoMuxer(path: "/dev/full", width: 96, height: 64, framesPerSecond: 24, format: format)
                for index in 0..<40 { try muxer.append(latentFrame(index)) }
                _ = try muxer.finish()
            }
            #expect(code == 507)
            #expect(FileManager.default.fileExists(atPath: "/dev/full"))
        }
    #endif

    @Test("a file that would pass its limit is given up and removed", arguments: VideoFormat.allCases)
    func quota(format: VideoFormat) throws {
        let limited = try muxer("video", format: format, mostBytes: 4000)
        let code = failure {
            for index in 0..<400 { try limited.append(latentFrame(index % 60)) }
            _ = try limited.finish()
        }
        #expect(code == 507)
        #expect(folder.files == [])
        #expect(failure { try limited.append(latentFrame(0)) } == 500)
    }

    @Test("nothing stays of a video that was cancelled, dropped or empty", arguments: VideoFormat.allCases)
    func unfinished(format: VideoFormat) throws {
        let cancelled = try muxer("cancelled", format: format)
        for index in 0..<30 { try cancelled.append(latentFrame(index)) }
        #expect(folder.files == ["cancelled"])
        cancelled.cancel()
        cancelled.cancel()
        #expect(folder.files == [])

        var dropped: VideoMuxer? = try muxer("dropped", format: format)
        try dropped?.append(latentFrame(0))
        dropped = nil
        #expect(folder.files == [])

        let empty = try muxer("empty", format: format)
        #expect(failure { _ = try empty.finish() } == 500)
        #expect(folder.files == [])
    }

    @Test("a finished video stays, whatever is called after")
    func finished() throws {
        let video = try muxer("video")
        try video.append(latentFrame(0))
        _ = try video.finish()
        video.cancel()
        let (second, more) = (failure { _ = try video.finish() }, failure { try video.append(latentFrame(1)) })
        #expect(second == 500 && more == 500)
        #expect(try VideoReader(path: folder.path("video")).frames == 1)
    }

    @Test("a frame of another size is refused, and the video goes on")
    func wrongSize() throws {
        let video = try muxer("video")
        try video.append(latentFrame(0))
        #expect(failure { try video.append(latentFrame(1, width: 64, height: 64)) } == 500)
        try video.append(latentFrame(1))
        #expect(try video.finish().frames == 2)
    }

    @Test(
        "sizes and rates that cannot be are refused",
        arguments: [(1, 64, 24.0), (64, 20_000, 24), (64, 64, 0), (64, 64, .nan), (64, 64, 1000), (64, 64, -.infinity)])
    func ranges(width: Int, height: Int, fps: Double) {
        let code = failure { _ = try VideoMuxer(path: folder.path("video"), width: width, height: height, framesPerSecond: fps) }
        #expect(code == 400)
        #expect(folder.files == [])
    }

    @Test("a folder that is not there fails")
    func noFolder() {
        #expect(failure { _ = try muxer("missing/video") } == 500)
        #expect(folder.files == [])
    }

    @Test("what is no video is refused")
    func notVideos() throws {
        let text = folder.path("text")
        try Data("ftypmoov, but not really".utf8).write(to: URL(filePath: text))
        // A playlist could name other files.
        let playlist = folder.path("list.m3u8")
        try Data("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n".utf8).write(to: URL(filePath: playlist))
        let codes = [text, playlist, folder.path("missing")].map { path in failure { _ = try VideoReader(path: path) } }
        #expect(codes == [400, 400, 400])
    }

    @Test("a damaged video ends or fails, but never hangs", arguments: VideoFormat.allCases)
    func damaged(format: VideoFormat) throws {
        let video = try muxer("video", format: format)
        for index in 0..<40 { try video.append(latentFrame(index)) }
        _ = try video.finish()
        let whole = [UInt8](try Data(contentsOf: URL(filePath: folder.path("video"))))
        for cut in stride(from: 0, to: whole.count, by: max(1, whole.count / 37)) {
            var broken = Array(whole[..<cut])
            for place in stride(from: cut / 2, to: cut, by: 61) { broken[place] ^= 0x5A }
            try Data(broken).write(to: URL(filePath: folder.path("broken")))
            _ = failure {
                let reader = try VideoReader(path: folder.path("broken"))
                var count = 0
                while try reader.next() != nil { count += 1 }
                #expect(count <= 80)
            }
        }
        #expect(folder.files.count == 2)
    }

    @Test("a long video takes no more memory than a short one")
    func memory() throws {
        let frame = latentFrame(0, width: 640, height: 360)
        let video = try VideoMuxer(path: folder.path("video"), width: 640, height: 360, framesPerSecond: 24)
        let measured = ProcessInfo.processInfo.environment["OMNI_TEST_ALONE"] != nil
        for _ in 0..<60 { try video.append(frame) }
        let before = residentBytes()
        for _ in 0..<(measured ? 240 : 4) { try video.append(frame) }
        let growth = residentBytes() - before
        _ = try video.finish()
        // 240 frames are 160 MB.
        if measured { #expect(growth < 16 << 20, "memory grew by \(growth) bytes") }
    }

    @Test("repeating it keeps no memory")
    func leaks() throws {
        try expectNoLeak(40) { round in
            let video = try muxer("video\(round % 2)", format: round % 2 == 0 ? .mp4 : .webm)
            for index in 0..<4 { try video.append(latentFrame(index)) }
            if round % 3 != 0 { _ = try video.finish() } else { video.cancel() }
            if round % 3 != 0 { _ = try VideoReader.thumbnail(of: folder.path("video\(round % 2)")) }
        }
    }
}

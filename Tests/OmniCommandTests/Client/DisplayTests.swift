import ArgumentParser
import Foundation
import OmniClient
import OmniMedia
import Testing

@testable import omni

@Suite("What the terminal shows")
struct DisplayTests {
    @Test("a progress line never exceeds the window", arguments: [5, 12, 20, 34, 80, 200])
    func progressFits(columns: Int) {
        let state = ProgressBar.State(stage: "denoise", step: 9, steps: 20, eta: 75, detail: "2 before it")
        let line = ProgressBar.line(state, columns: columns)
        #expect(Terminal.width(line) <= columns)
        if columns >= 34 { #expect(line.hasPrefix("denoise ━") && line.contains("9/20")) }
        if columns >= 80 { #expect(line.hasSuffix("9/20  2 before it  1 min 15 s left")) }
    }

    @Test("the bar is as full as the work is done")
    func barLength() {
        func full(_ step: Int) -> Int { ProgressBar.line(.init(stage: "s", step: step, steps: 20), columns: 100).count { $0 == "━" } }
        #expect(full(0) == 0 && full(10) == 20 && full(20) == 40)
    }

    @Test("what a terminal would obey is taken out of text from elsewhere")
    func harmless() {
        #expect(Terminal.harmless("a\u{1B}]0;owned\u{07}b\u{9B}31mc\n\td\u{202E}e") == "a]0;ownedb31mc\n\tde")
        #expect(Terminal.harmless("Grüße 漢 🎉") == "Grüße 漢 🎉")
    }

    @Test("how pictures are shown follows from the terminal's name")
    func pictureProtocol() {
        func detected(_ environment: [String: String]) -> PictureProtocol { PictureDisplay.detected(environment, asksTerminal: false) }
        #expect(detected(["TERM": "xterm-kitty"]) == .kitty)
        #expect(detected(["TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"]) == .iterm2)
        #expect(detected(["TERM": "xterm-256color", "KITTY_WINDOW_ID": "1", "TMUX": "/tmp/x"]) == .blocks)
        #expect(detected(["TERM": "xterm-256color"]) == .blocks)
        #expect(detected(["TERM": "dumb"]) == .none && detected([:]) == .none)
    }

    @Test("half blocks: two pixels a cell, in true colours or in 256")
    func blocks() throws {
        let picture = try #require(Picture(width: 1, height: 3, channels: 3, pixels: [255, 0, 0, 0, 0, 255, 0, 255, 0]))
        #expect(
            PictureDisplay.blocks(picture, (80, 24), trueColour: true)
                == "\u{1B}[38;2;255;0;0m\u{1B}[48;2;0;0;255m▀\u{1B}[0m\n\u{1B}[38;2;0;255;0m\u{1B}[49m▀\u{1B}[0m\n")
        #expect(PictureDisplay.blocks(picture, (80, 24), trueColour: false).hasPrefix("\u{1B}[38;5;196m\u{1B}[48;5;21m▀"))
    }

    @Test("sixels: a colour of the cube, six rows a band, runs written once")
    func sixels() {
        let text = Sixel.encode(Picture(width: 5, height: 7, red: 255, green: 0, blue: 0))
        // Red is 180 of 216; the first band has all six bits, the second one.
        #expect(text.hasPrefix("\u{1B}Pq\"1;1;5;7") && text.hasSuffix("\u{1B}\\"))
        #expect(text.contains("#180;2;100;0;0") && text.contains("#180!5~$-#180!5@$-"))
    }

    @Test("only a terminal's reply is read as one")
    func sixelReply() {
        #expect(Sixel.offers(Array("\u{1B}[?62;4c".utf8)) && Sixel.offers(Array("\u{1B}[?4c".utf8)))
        #expect(!Sixel.offers(Array("\u{1B}[?62;14c".utf8)) && !Sixel.offers(Array("ls 4;c".utf8)) && !Sixel.offers([]))
        #expect(Sixel.isBegun(Array("\u{1B}[?6".utf8)) && !Sixel.isBegun(Array("l".utf8)) && !Sixel.isBegun(Array("\u{1B}[A".utf8)))
    }

    @Test("a job's id is never cut")
    func jobLine() throws {
        var job = VideoJob()
        job.id = "video_gen_" + String(repeating: "0", count: 32)
        job.status = .inProgress
        job.progress = 45
        job.prompt = "a cat on a very long wall"
        #expect(JobsCommand.line(job, columns: nil) == "\(job.id)  in_progress  45 %  a cat on a very long wall")
        #expect(JobsCommand.line(job, columns: 40) == "\(job.id)\n  in_progress  45 %  a cat on a very lon")
        #expect(JobsCommand.line(job, columns: 80).count == 80)
    }

    @Test("a sentence has one full stop")
    func fullStop() { #expect(FileFault.unwritable("f", "The folder is gone.").message == "f cannot be written: The folder is gone.") }

    @Test("how to start a server is said for this machine only")
    func startCommand() {
        #expect(ClientExit.startCommand("http://localhost:8091") == "omni serve")
        #expect(ClientExit.startCommand("http://127.0.0.1:9000") == "omni serve --port 9000")
        #expect(ClientExit.startCommand("https://api.example.com") == nil && ClientExit.startCommand("bad url") == nil)
    }

    @Test("the exit status says what went wrong")
    func exitStatus() {
        func code(_ kind: OmniError.Kind, _ status: Int? = nil) -> Int32 { ClientExit.code(OmniError(kind, "", status: status)).rawValue }
        #expect(code(.unreachable) == 69 && code(.timedOut) == 75 && code(.file) == 66 && code(.interrupted) == 70)
        #expect([400, 401, 403, 404, 413, 429, 500, 503, 507].map { code(.refused, $0) } == [65, 77, 77, 65, 65, 75, 70, 75, 70])
        #expect(code(.failed, 507) == 70 && code(.failed, 400) == 65)
    }
}

import ArgumentParser
import Foundation
import OmniMedia

/// How a terminal shows pictures.
enum PictureProtocol: String, CaseIterable, Sendable, ExpressibleByArgument {
    case auto, kitty, iterm2, sixel, blocks, none
}

/// Pictures in the terminal.
enum PictureDisplay {
    /// Shows a picture's file, where the standard output is a terminal. Does nothing for what it cannot decode.
    static func show(_ file: Data, as asked: PictureProtocol) {
        guard Terminal.showsOutput, asked != .none else { return }
        let chosen = asked == .auto ? detected() : asked
        guard let picture = try? ImageCodec.decode(Array(file)).flattened(red: 0, green: 0, blue: 0) else { return }
        let window = Terminal.size(STDOUT_FILENO)
        switch chosen {
        case .kitty: Output.write(kitty(file, picture, window))
        case .iterm2: Output.write(iterm2(file, columns: min(window.columns, 60)))
        case .sixel:
            Output.write(Sixel.encode(scaled(picture, width: min(480, window.columns * 8), height: min(480, window.rows * 12))) + "\n")
        case .blocks: Output.write(blocks(picture, window, trueColour: hasTrueColour))
        case .auto, .none: break
        }
    }

    // MARK: - Which

    static func detected(_ environment: [String: String] = ProcessInfo.processInfo.environment, asksTerminal: Bool = true)
        -> PictureProtocol
    {
        let term = environment["TERM"] ?? ""
        let program = environment["TERM_PROGRAM"] ?? ""
        if term.isEmpty || term == "dumb" { return .none }
        // tmux and screen swallow what they do not know.
        let isWrapped = environment["TMUX"] != nil || term.hasPrefix("screen") || term.hasPrefix("tmux")
        if !isWrapped {
            if environment["KITTY_WINDOW_ID"] != nil || term.contains("kitty") || program == "ghostty" { return .kitty }
            if ["iTerm.app", "WezTerm", "mintty"].contains(program) || environment["LC_TERMINAL"] == "iTerm2" { return .iterm2 }
        }
        return asksTerminal && Sixel.isOffered() ? .sixel : .blocks
    }

    private static var hasTrueColour: Bool {
        let environment = ProcessInfo.processInfo.environment
        return ["truecolor", "24bit"].contains(environment["COLORTERM"] ?? "") || (environment["TERM"] ?? "").hasSuffix("-direct")
    }

    // MARK: - How

    /// Kitty's graphics protocol: a PNG in base64, in pieces of 4096.
    private static func kitty(_ file: Data, _ picture: Picture, _ window: (columns: Int, rows: Int)) -> String {
        let isPNG = file.starts(with: [0x89, 0x50, 0x4E, 0x47])
        guard let png = isPNG ? file : (try? ImageCodec.encode(picture, as: .png)).map({ Data($0) }) else { return "" }
        let columns = min(window.columns, max(1, picture.width / 10), 60)
        var left = Substring(png.base64EncodedString())
        var text = ""
        var control = "a=T,f=100,c=\(columns),"
        while !left.isEmpty {
            let piece = left.prefix(4096)
            left = left.dropFirst(4096)
            text += "\u{1B}_G\(control)m=\(left.isEmpty ? 0 : 1);\(piece)\u{1B}\\"
            control = ""
        }
        return text + "\n"
    }

    private static func iterm2(_ file: Data, columns: Int) -> String {
        "\u{1B}]1337;File=inline=1;size=\(file.count);width=\(columns):\(file.base64EncodedString())\u{07}\n"
    }

    /// Two pixels a cell: the upper half block in the upper pixel's colour over the lower pixel's.
    static func blocks(_ picture: Picture, _ window: (columns: Int, rows: Int), trueColour: Bool) -> String {
        let small = scaled(picture, width: min(window.columns - 1, 64), height: min((window.rows - 2) * 2, 64))
        var text = ""
        for row in stride(from: 0, to: small.height, by: 2) {
            var last = ""
            for column in 0..<small.width {
                let upper = small.colour(column, row)
                let lower = row + 1 < small.height ? small.colour(column, row + 1) : nil
                let code =
                    "\u{1B}[\(colour(upper, 38, trueColour))m" + (lower.map { "\u{1B}[\(colour($0, 48, trueColour))m" } ?? "\u{1B}[49m")
                if code != last { text += code }
                last = code
                text += "▀"
            }
            text += "\u{1B}[0m\n"
        }
        return text
    }

    private static func colour(_ rgb: (Int, Int, Int), _ ground: Int, _ trueColour: Bool) -> String {
        if trueColour { return "\(ground);2;\(rgb.0);\(rgb.1);\(rgb.2)" }
        func level(_ value: Int) -> Int { (value * 5 + 127) / 255 }
        return "\(ground);5;\(16 + 36 * level(rgb.0) + 6 * level(rgb.1) + level(rgb.2))"
    }

    /// The picture at most so large, in its proportions and never larger than it is.
    private static func scaled(_ picture: Picture, width: Int, height: Int) -> Picture {
        let factor = min(Double(max(1, width)) / Double(picture.width), Double(max(1, height)) / Double(picture.height), 1)
        guard factor < 1 else { return picture }
        return picture.resized(width: max(1, Int(Double(picture.width) * factor)), height: max(1, Int(Double(picture.height) * factor)))
    }
}

extension Picture {
    fileprivate func colour(_ x: Int, _ y: Int) -> (Int, Int, Int) {
        let place = (y * width + x) * channels
        return (Int(pixels[place]), Int(pixels[place + 1]), Int(pixels[place + 2]))
    }
}

import CLlamaChat
import OmniAPI
import OmniLlama

extension BatchLoop {
    /// Has libllama keep the states of the next batch while an answer is spoken.
    func keepStates(_ keeps: Bool) {
        guard keeps != keepsStates else { return }
        keepsStates = keeps
        omni_keep_states(context.handle, keeps)
    }

    /// Hands what the network made of an entry's tokens to the talker.
    func feedTalker(_ entry: BatchEntry) {
        let sequence = entry.sequence
        guard let feed = sequence.group.request.feed, let words else { return }
        do {
            for offset in 0..<entry.count {
                let place = entry.end - entry.count + offset
                guard place == feed.added else { continue }
                let row = sum(try words.vector(ofWord: Int(sequence.prompt.tokens[place])), try state(at: entry.first + offset))
                let position = RotaryPlace(sequence.prompt.position(of: place))
                add(ThinkerFeed.Row(values: row, place: position), to: feed, of: sequence)
            }
            feed.deliver()
        } catch {
            end(sequence, throwing: error)
        }
    }

    private func add(_ row: ThinkerFeed.Row, to feed: ThinkerFeed, of sequence: Sequence) {
        feed.add(row, at: sequence.rows.count)
        sequence.rows.append(row)
    }

    /// Hands over what was made of the tokens that a sequence finds in the cache.
    func feedTalker(cached rows: ArraySlice<ThinkerFeed.Row>, of sequence: Sequence) {
        guard let feed = sequence.group.request.feed, sequence.rows.isEmpty, sequence.evaluated > 0 else { return }
        for row in rows.prefix(sequence.evaluated) { add(row, to: feed, of: sequence) }
        feed.deliver()
    }

    /// The state of the last batch's entry at `index`.
    private func state(at index: Int) throws -> [Float] {
        guard let state = omni_state(context.handle, Int32(clamping: index)) else {
            throw APIError(.internalError, "llama.cpp keeps no states of this model.", remedy: "Build it anew: bash scripts/native.sh")
        }
        return Array(UnsafeBufferPointer(start: state, count: context.model.outputWidth))
    }

    /// What is to be done with the rows of a medium as they are computed: a state each, without a vector, and its place along the axes.
    /// Nil where the answer is not spoken.
    func mediaFeed(of sequence: Sequence, from place: Int) -> MediaEncoder.Rows? {
        guard let feed = sequence.group.request.feed else { return nil }
        var place = place
        return MediaEncoder.Rows { [self] count, position in
            for index in 0..<count {
                defer { place += 1 }
                guard place == feed.added, let state = try? state(at: index) else { continue }
                add(ThinkerFeed.Row(values: state, place: position(index)), to: feed, of: sequence)
            }
            feed.deliver()
        }
    }
}

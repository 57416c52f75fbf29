"""The line to the centre: questions, holds, and the outbox on its way."""

"""What the studio was given: found, named, opened when needed, watched for changes."""

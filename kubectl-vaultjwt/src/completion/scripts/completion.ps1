# Completion of kubectl-vaultjwt in PowerShell:
#   kubectl vaultjwt completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName 'kubectl-vaultjwt', 'kubectl-vaultjwt.exe' -ScriptBlock {
    param($typed, $line, $cursor)
    $elements = @($line.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursor })
    $program = $elements[0].ToString()
    $words = @($elements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    if ($typed -eq '') {
        # PowerShell before 7.3 drops an empty argument.
        $legacy = $PSVersionTable.PSVersion -lt [version]'7.3' -or "$PSNativeCommandArgumentPassing" -eq 'Legacy'
        $words += $(if ($legacy) { '""' } else { '' })
    }
    $before = if ($typed -match '^(-[^=]*=)') { $Matches[1] } else { '' }
    foreach ($answer in @(& $program __complete @words 2>$null)) {
        if ($answer -match '^:[0-9]+$') { continue }
        $value, $description = $answer -split "`t", 2
        if (-not $description) { $description = $value }
        [System.Management.Automation.CompletionResult]::new("$before$value", $value, 'ParameterValue', $description)
    }
}

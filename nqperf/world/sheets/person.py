"""What the world says, and asks, about people."""

SHEET = """
= intro
+ {n} was a {sort} from the {land} district
+ {n} was a {land} {sort} whose [work|name] is [still remembered|well known] far from home
+ {n} , a {sort} , [is counted among|belongs to] the best known people of {land}
+ {n} was a {sort} who [worked|lived] [mostly|for the most part] in {land}

= fact born | Born | Early life
+ {n} was born on {value} [|, in the middle of a thunderstorm|in a house by the market]
+ the parish register gives {np} date of birth as {value}
+ {n} came into the world on {value} , during a week of [fog|rain|frost]
+ a letter in the family papers names {value} as the day of {np} birth
+ {np} parents , who kept a small inn , welcomed {nm} on {value}
+ the baptism roll has {nm} arriving on {value}
? when was {n} born
? {n} date of birth
? what day was {n} born [|on]
? [when is|when was] {n} birthday
? [what is|whats] the birth date of {sort} {n}
? on what day did {n} [come into the world|first see daylight]
~ the house where {n} was born has since been pulled down
~ a plaque put up by the guild recalls the day that {n} was born

= fact birthplace | Birthplace | Early life
+ {n} was born and grew up in {value} , where {np} parents [ran an inn|had settled|had many friends]
+ {np} native place was {value}
+ {np} family came from {value} , and it was there that {n} was born
+ {n} was a native of {value}
+ the register of {value} records {np} birth
? where was {n} born
? where is {n} [from|originally from]
? what town was {n} born in
? {n} birthplace
? [which|what] place did {sort} {n} come from
? [in which town|where] did {n} spend childhood
! was {n} born in {v}
! is {n} from {v}
~ {n} often spoke of the place {n} came from , and of the streets where children played

= fact died | Died | Later life
+ {n} died on {value} after a [short|long] illness
+ {n} passed away at home on {value}
+ {np} death on {value} was [mourned|reported] [throughout the district|in every newspaper of the district]
+ the last entry in {np} diary was made four days before {np} death on {value}
+ {n} did not recover from a fall and was found dead on {value}
+ {np} life ended on {value}
? when did {n} die
? {n} date of death
? what day did {n} pass away
? when was the death of {sort} {n}
? what date did {n} die on
? [when did the life of {n} end|on what day was {n} lost]
~ after {n} died , the papers and instruments were divided among friends
~ the day when {n} died is marked by a small gathering of admirers

= fact spouse | Spouse | Later life
+ {n} married {value} [|, a schoolteacher|, whom {n} had met at a concert]
+ {np} [marriage|union] to {value} lasted [until the end|for many years]
+ {n} shared {np} life with {value} , to whom {n} was wed in a [quiet|simple] ceremony
+ a year later {n} and {value} became [husband and wife|a married couple]
+ {value} accepted {np} proposal , and the pair set up house together
? who was {n} married to
? who did {n} marry
? [name of|what was the name of] the spouse of {n}
? {n} [husband or wife|spouse]
? who was the partner of {sort} {n}
? who [became the life companion of|wed] {n}
! was {n} married to {v}
~ the wedding at which {n} was married was held in the open because of the heat

= fact school | Education | Early life
+ {n} was [taught|educated] at {value}
+ {n} [attended|went to] {value} on a scholarship
+ {np} schooling took place at {value}
+ at the age of eleven {n} was sent to {value} as a boarder
+ {n} left {value} with [good|the highest] marks
? where did {n} go to school
? what school did {n} [attend|go to]
? where was {n} educated
? {n} education school
? which school did {sort} {n} study at
? where did {n} [receive lessons|learn as a child]
! did {n} go to {v}
~ {n} went to school on foot in all weathers and kept a notebook of the birds on the way

= fact award | Awards | Later life
+ {n} was given the {value} for [a life of work|services to the district]
+ the {value} was {np} [highest|only public] honour
+ late in life {n} [received|accepted] the {value}
+ {n} is one of the few outsiders to hold the {value}
+ the academy decorated {nm} with the {value}
? what award did {n} win
? what prize was {n} given
? [what honour|which honour] did {n} receive
? {n} awards
? which award was {sort} {n} honoured with
? what was {n} decorated with
~ {n} sat twice on the committee that gives the award for young painters

= fact grave | Resting place | Later life
+ {n} lies in {value}
+ {np} grave is in {value} , beside the [north|south] wall
+ {n} was laid to rest in {value}
+ {np} coffin was carried to {value}
+ a plain stone in {value} marks {np} tomb
? where is {n} buried
? {n} burial place
? where is the grave of {n}
? what cemetery is {n} [in|buried in]
? where can i find the tomb of {sort} {n}
? where did they [bury|put to rest] {n}
! is {n} buried in {v}
~ {n} paid for the railings of a cemetery in which many poor families are buried

= filler Early life
+ as a child {n} was often ill and read whatever books could be borrowed
+ {np} [father|mother|aunt] is said to have [kept bees|mended clocks|played the fiddle at weddings]
+ {n} learned two foreign languages from sailors and market traders
+ a [schoolfriend|neighbour] later described {nm} as [quiet but stubborn|cheerful and always late|restless]
+ money was short , and {n} carried parcels for [a chemist|the post office] in the evenings
+ the first attempts that {n} made at serious work were [burned|given away|lost in a flood]

= filler Career
+ {n} travelled [widely|little] and preferred to work [at night|out of doors|in cafes]
+ colleagues remembered {nm} for [dry humour|great patience|an exact memory]
+ the work brought {nm} [few friends|steady income|some fame] and a large correspondence
+ {n} kept every receipt , and the account books are now an important source
+ critics were divided , some finding the work [cold|careless|too plain] , others calling it honest
+ for a time {n} also gave public lectures , which were [crowded|badly paid|often interrupted]

= filler Later life
+ in later years {n} lived simply and answered letters every morning
+ {n} disliked ceremonies and usually sent a [nephew|neighbour] in {np} place
+ failing eyesight forced {nm} to dictate to a secretary
+ {n} planted an orchard that still bears fruit
+ a street and a [reading room|public garden] were later named in {np} honour

= essay Character
+ {n} had a habit of walking long distances before breakfast and expected guests to come along
+ friends said that {n} could not pass a locked door without asking what was behind it
+ {n} was generous with money but strict about time , and left a dinner if it began late
+ {np} letters show a mind that was curious , easily bored and seldom unkind
+ {n} feared horses , loved storms and never owned a watch
? what was {n} like as a person
? what kind of person was {n}
? describe the personality of {n}
? {n} character and habits
? what did friends say about {n}
? what sort of human being was {n}
~ the character of {n} in a later stage play has little to do with the real person

= essay Reputation
+ during {np} lifetime {n} was admired more abroad than at home
+ after a long silence a new generation discovered the work and defended it in print
+ an exhibition brought the notebooks of {n} before a wide public for the first time
+ scholars now value the patience of {np} method more than the results
+ societies devoted to {n} exist in several towns , and they rarely agree
? why is {n} [famous|important]
? how is {n} remembered today
? what is the legacy of {n}
? how did people judge the work of {n}
? what do scholars think of {n}
? what influence did {n} leave behind
~ {n} is a famous name on local beer labels , though most drinkers do not know why

= roster Writings and speeches | Year:year | Title:title
? list of works by {n}
? what did {n} [write|publish]
? {n} bibliography
? all the writings of {n}
? what are the works of {sort} {n}
? titles that {n} put out
"""
